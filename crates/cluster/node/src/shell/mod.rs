//! The shell: watches the pods of this node, one bounded task per pod, and carries the effects of the engines out.
