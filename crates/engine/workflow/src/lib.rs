//! Workflow files: from text to a plan of jobs, and the state machine of a run.
