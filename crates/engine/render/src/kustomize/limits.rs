//! The bounds of a build, each with its reason.

/// Folders within folders: real trees have fewer than ten; a chain of a thousand would use up the stack.
pub(super) const MAX_BASE_DEPTH: usize = 128;

/// Resources in one build: kustomize itself takes hours for that many.
pub(super) const MAX_RESOURCES: usize = 1_000_000;

/// Kustomization folders visited in one build. Diamonds visit a folder once per path, which doubles with each level:
/// forty levels of diamonds would never end.
pub(super) const MAX_VISITED_FOLDERS: usize = 20_000;

/// Nodes that the aliases of one document may add: a "billion laughs" document of a kilobyte would fill the memory.
pub(super) const MAX_ALIAS_NODES: usize = 4_000_000;

/// Bytes of files read in one build: with [`MAX_VISITED_FOLDERS`] it bounds the time that a hostile tree can take.
pub(super) const MAX_READ_BYTES: usize = 1 << 30;

/// Depth of a document: the walks over it are recursive.
pub(super) const MAX_NODE_DEPTH: usize = 512;

/// Depth of a chain of references between types in a `crds` file: a type may refer to itself.
pub(super) const MAX_CRD_DEPTH: usize = 32;

/// Values that the `copy` steps of one JSON patch may add: a step can copy the document into itself, which doubles it.
pub(super) const MAX_COPIED_VALUES: usize = 1_000_000;

/// Compiled size of one regular expression of a selector, in bytes.
pub(super) const MAX_REGEX_BYTES: usize = 1 << 20;
