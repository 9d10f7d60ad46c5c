//! The tests of the renderer against cases from outside.

mod helm_sort;
mod kyaml_merge;
