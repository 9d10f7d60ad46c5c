//! The folder of all repositories.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command::{Bounds, Git};
use crate::error::GitError;
use crate::limits;
use crate::name::RepositoryName;
use crate::told::{Pushes, Teller};

/// The branch that a new repository calls its own.
const MAIN: &str = "main";

/// Where repositories are made before they get their names: no name begins like this.
const MAKING: &str = ".making";

/// All repositories of a folder. Clones share it.
#[derive(Clone)]
pub struct Repositories {
    pub(crate) git: Git,
    root: Arc<PathBuf>,
    pub(crate) teller: Arc<Teller>,
}

/// One repository.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) git: Git,
    pub(crate) name: RepositoryName,
    pub(crate) folder: PathBuf,
}

impl Repository {
    /// Its name.
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// Its bare repository, for programs that read it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Repositories {
    /// Opens the folder of all repositories, which it makes when it is missing, and starts to tell what was pushed, beginning
    /// with what nobody was told before the last end, however that came.
    ///
    /// # Errors
    /// Those of the operating system. One process has a folder at a time; that is the caller's to ensure.
    pub fn open(root: &Path, git: Git) -> Result<(Repositories, Pushes), GitError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(|error| GitError::io(root, &error))?;
        let root = root.canonicalize().map_err(|error| GitError::io(root, &error))?;
        let making = root.join(MAKING);
        match fs::remove_dir_all(&making) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(GitError::io(&making, &error));
            }
            _ => {}
        }
        let (teller, pushes) = Teller::start(git.clone(), names_below(&root)?, root.clone())?;
        let repositories = Repositories {
            git,
            root: Arc::new(root),
            teller: Arc::new(teller),
        };
        Ok((repositories, pushes))
    }

    /// Makes an empty bare repository.
    ///
    /// # Errors
    /// [`GitError::Exists`], or those of the operating system; nothing is left behind then.
    pub async fn create(&self, name: &RepositoryName) -> Result<Repository, GitError> {
        let folder = name.folder(&self.root);
        if self.find(name).is_ok() {
            return Err(GitError::Exists { name: name.clone() });
        }
        let making = self.root.join(MAKING).join(name.as_str().replace('/', "+"));
        let failed = |path: &Path, error: &io::Error| GitError::io(path, error);
        private_folder(&making).map_err(|error| failed(&making, &error))?;
        let mut command = self.git.command(None);
        command
            .args([
                "init",
                "--quiet",
                "--bare",
                "--template=",
                "--initial-branch",
                MAIN,
            ])
            .arg(&making);
        self.git
            .run(command, "init", Vec::new(), Bounds::LIST)
            .await?
            .done("init")?;
        let parent = folder.parent().unwrap_or(&self.root).to_owned();
        private_folder(&parent).map_err(|error| failed(&parent, &error))?;
        fs::rename(&making, &folder).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                GitError::Exists { name: name.clone() }
            }
            _ => failed(&folder, &error),
        })?;
        for folder in [&folder, &parent] {
            fs::File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| failed(folder, &error))?;
        }
        self.find(name)
    }

    /// A repository.
    ///
    /// # Errors
    /// [`GitError::NoRepository`], also where something on the way is a symbolic link.
    pub fn find(&self, name: &RepositoryName) -> Result<Repository, GitError> {
        let missing = || GitError::NoRepository { name: name.clone() };
        let folder = name.folder(&self.root);
        let below = folder.strip_prefix(&**self.root).map_err(|_| missing())?;
        let mut way = self.root.to_path_buf();
        for part in below {
            way.push(part);
            let metadata = fs::symlink_metadata(&way).map_err(|_| missing())?;
            if !metadata.is_dir() {
                return Err(missing());
            }
        }
        // `git init` has come to its end.
        if !folder.join("HEAD").is_file() {
            return Err(missing());
        }
        Ok(Repository {
            git: self.git.clone(),
            name: name.clone(),
            folder,
        })
    }

    /// The names of all repositories, in order.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn names(&self) -> Result<Vec<RepositoryName>, GitError> {
        names_below(&self.root)
    }

    /// Looks whether references of a repository changed other than by a push to the server: after a fetch from a remote, or
    /// a commit to the state repository. What changed is told.
    ///
    /// # Errors
    /// [`GitError::Closed`].
    pub async fn settle(&self, name: &RepositoryName) -> Result<(), GitError> {
        self.teller.settle(name.clone()).await
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Folders that end in `.git`, as deep as names go. Links are not followed.
fn names_below(root: &Path) -> Result<Vec<RepositoryName>, GitError> {
    let mut names = Vec::new();
    let mut queue = vec![(root.to_owned(), String::new(), 1)];
    while let Some((folder, prefix, depth)) = queue.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| GitError::io(&folder, &error))? {
            let entry = entry.map_err(|error| GitError::io(&folder, &error))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let Some(part) = entry
                .file_name()
                .to_str()
                .filter(|_| is_folder)
                .map(str::to_owned)
            else {
                continue;
            };
            match part.strip_suffix(".git") {
                Some(last) => names.extend(format!("{prefix}{last}").parse::<RepositoryName>().ok()),
                None if depth < limits::NAME_PARTS && !part.starts_with('.') => {
                    queue.push((entry.path(), format!("{prefix}{part}/"), depth + 1));
                }
                None => {}
            }
        }
    }
    names.sort();
    Ok(names)
}
