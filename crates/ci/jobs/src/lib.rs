//! Runs workflows: carries out a plan of jobs.
