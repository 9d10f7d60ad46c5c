//! One file: what was written, what was synced, and what lies between.

/// The unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file's two contents.
#[derive(Default)]
pub(crate) struct File {
    /// What reading gives.
    written: Vec<u8>,
    /// What a power cut cannot take.
    synced: Vec<u8>,
    /// What was done since the last sync, in order.
    since: Vec<Step>,
    /// Whether its name outlives a power cut: it does from the first sync on.
    pub named: bool,
}

enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl File {
    /// A file that was on the disk before the power came.
    pub fn found(content: Vec<u8>) -> File {
        File {
            written: content.clone(),
            synced: content,
            since: Vec::new(),
            named: true,
        }
    }

    pub fn len(&self) -> usize {
        self.written.len()
    }

    /// Fills what the file has; the number of bytes.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let there = self.written.get(offset..).unwrap_or_default();
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        count
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.written, offset, bytes);
        self.since.push(Step::Write {
            offset,
            bytes: bytes.to_owned(),
        });
    }

    pub fn truncate(&mut self, len: usize) {
        self.written.resize(len, 0);
        self.since.push(Step::Truncate(len));
    }

    pub fn sync(&mut self) {
        for step in self.since.drain(..) {
            match step {
                Step::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Step::Truncate(len) => self.synced.resize(len, 0),
            }
        }
        self.named = true;
    }

    /// Forgets what was to be synced; reading still gives it.
    pub fn fail_sync(&mut self) {
        self.since.clear();
    }

    /// The content after a power cut: `keeps` decides for each sector that was written, and each truncation.
    pub fn after_cut(&self, keeps: &mut dyn FnMut() -> bool) -> Vec<u8> {
        let mut content = self.synced.clone();
        for step in &self.since {
            match step {
                Step::Write { offset, bytes } => {
                    let mut done = 0;
                    while done < bytes.len() {
                        let at = offset + done;
                        let end = bytes.len().min(done + SECTOR - at % SECTOR);
                        if keeps() {
                            put(&mut content, at, &bytes[done..end]);
                        }
                        done = end;
                    }
                }
                Step::Truncate(len) if keeps() => content.resize(*len, 0),
                Step::Truncate(_) => {}
            }
        }
        content
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_what_was_synced_and_any_of_the_rest() {
        let mut file = File::default();
        file.write(0, &[1; 1024]);
        file.sync();
        file.write(256, &[2; 512]);
        file.write(1024, &[3; 10]);
        let mut buffer = [0; 2];
        assert_eq!((file.read(1023, &mut buffer), buffer), (2, [1, 3]));
        assert_eq!(file.after_cut(&mut || false), [1; 1024]);
        let mut whole = [1; 1034];
        whole[256..768].fill(2);
        whole[1024..].fill(3);
        assert_eq!(file.after_cut(&mut || true), whole);
        // The first write lies on two sectors: its second half is lost.
        let mut torn = whole;
        torn[512..768].fill(1);
        let mut fates = [true, false, true].into_iter();
        assert_eq!(file.after_cut(&mut || fates.next().expect("three sectors")), torn);
        file.truncate(3);
        file.sync();
        assert_eq!(file.after_cut(&mut || false), [1; 3]);
    }
}
