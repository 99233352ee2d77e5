//! One evaluation's directory: the request, the recording, and, at the end, what was told last.
//!
//! A directory is complete when it has its name: it is filled under another one before. Nothing but this file knows
//! the names in it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use andon_core::time::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::request::Request;
use super::view::View;
use super::{EvaluationError, EvaluationId};
use crate::recording::{Head, Recording, RecordingWriter};

/// What a directory is called until it is complete. No id begins like this.
const UNFINISHED: &str = ".new-";
const REQUEST: &str = "request.json";
const RECORDING: &str = "recording.jsonl";
const END: &str = "end.json";

/// A request and when it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Accepted {
    pub(super) at: Time,
    pub(super) request: Request,
}

/// One evaluation's directory.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The directory of `id` below `dir`.
    pub(super) fn of(dir: &Path, id: &EvaluationId) -> Self {
        Self(dir.join(id.as_str()))
    }

    /// Makes it, with its request and the head of its recording; all of that is on the disk when this returns.
    pub(super) fn create(
        dir: &Path,
        accepted: &Accepted,
        head: &Head,
    ) -> Result<(Self, RecordingWriter), EvaluationError> {
        let id = &accepted.request.id;
        let (new, folder) = (dir.join(format!("{UNFINISHED}{id}")), Self::of(dir, id));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| EvaluationError::Disk { path, error }
        };
        if new.exists() {
            fs::remove_dir_all(&new).map_err(failed(&new))?;
        }
        fs::create_dir(&new).map_err(failed(&new))?;
        write(&new.join(REQUEST), accepted).map_err(failed(&new))?;
        RecordingWriter::create(&new.join(RECORDING), head)?;
        fs::rename(&new, &folder.0).and_then(|()| sync(dir)).map_err(failed(&folder.0))?;
        let (writer, _) = folder.resume()?;
        Ok((folder, writer))
    }

    /// All complete directories below `dir`; what a crash left unfinished is removed.
    pub(super) fn all(dir: &Path) -> Result<Vec<(EvaluationId, Self)>, EvaluationError> {
        let failed = |error| EvaluationError::Disk { path: dir.to_owned(), error };
        let mut all = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(UNFINISHED) {
                fs::remove_dir_all(&path).map_err(failed)?;
            } else if let Ok(id) = EvaluationId::new(name) {
                all.push((id, Self(path)));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    pub(super) fn accepted(&self) -> Result<Accepted, EvaluationError> {
        self.read(REQUEST)?.ok_or_else(|| self.damaged("there is no request in it"))
    }

    /// What was told last; nothing while it is not over.
    pub(super) fn end(&self) -> Result<Option<View>, EvaluationError> {
        self.read(END)
    }

    pub(super) fn write_end(&self, view: &View) -> Result<(), EvaluationError> {
        let new = self.0.join(format!("{END}.new"));
        let renamed = || {
            write(&new, view).and_then(|()| fs::rename(&new, self.0.join(END))).and_then(|()| sync(&self.0))
        };
        renamed().map_err(|error| EvaluationError::Disk { path: self.0.clone(), error })
    }

    pub(super) fn resume(&self) -> Result<(RecordingWriter, Recording), EvaluationError> {
        Ok(RecordingWriter::open_resume(&self.0.join(RECORDING))?)
    }

    pub(super) fn remove(&self) -> Result<(), EvaluationError> {
        fs::remove_dir_all(&self.0).map_err(|error| EvaluationError::Disk { path: self.0.clone(), error })
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, EvaluationError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(self.damaged(&format!("{name} cannot be understood: {error}"))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EvaluationError::Disk { path, error }),
        }
    }

    fn damaged(&self, why: &str) -> EvaluationError {
        EvaluationError::Damaged { path: self.0.clone(), why: why.to_owned() }
    }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(value).map_err(io::Error::other)?;
    let mut file = File::create(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
