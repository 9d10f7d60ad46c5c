//! Images of containers: pull policies, bounded and shared pulls, the reasons of failures, garbage collection.
