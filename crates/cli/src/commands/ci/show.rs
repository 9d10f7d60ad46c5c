//! A run on the terminal while it goes on.

use std::collections::BTreeMap;

use deploy_jobs::Event;
use deploy_model::Lang;
use deploy_workflow::run::{Conclusion, JobId, Level};

use crate::{Printer, texts};

/// Writes what happens, line by line, each with the name of its job.
pub struct Show {
    lang: Lang,
    names: BTreeMap<JobId, String>,
    /// Lines that have no end yet.
    open: BTreeMap<JobId, String>,
}

impl Show {
    pub fn new(lang: Lang) -> Show {
        Show {
            lang,
            names: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Shows one event.
    pub fn event(&mut self, printer: &mut Printer, event: Event) -> std::io::Result<()> {
        let words = &texts::of(self.lang).ci_words;
        match event {
            Event::JobWaits { job, name, reason } => {
                self.names.insert(job.clone(), name);
                self.line(printer, &job, &words.waits.replace("{reason}", &reason))
            }
            Event::JobBegan {
                job,
                name,
                queued,
                place,
            } => {
                self.names.insert(job.clone(), name);
                let ms = queued.as_millis().to_string();
                self.line(
                    printer,
                    &job,
                    &words.began.replace("{place}", &place).replace("{ms}", &ms),
                )
            }
            Event::StepBegan { job, name, .. } => self.line(printer, &job, &format!("▶ {}", first(&name))),
            Event::Output { job, text, .. } => self.output(printer, &job, &text),
            Event::StepEnded {
                job,
                name,
                outcome,
                took,
                ..
            } => {
                self.rest(printer, &job)?;
                let text = format!("{} {} ({} ms)", mark(outcome), first(&name), took.as_millis());
                self.line(printer, &job, &text)
            }
            Event::StepSkipped { job, name, .. } => self.line(
                printer,
                &job,
                &format!("{} {}", mark(Conclusion::Skipped), first(&name)),
            ),
            Event::Note { job, level, message } => {
                if level == Level::Debug {
                    return Ok(());
                }
                match job {
                    Some(job) => self.line(printer, &job, &message),
                    None => {
                        printer.warn(&message);
                        Ok(())
                    }
                }
            }
            Event::JobEnded {
                job,
                name,
                conclusion,
                reason,
            } => {
                self.names.insert(job.clone(), name);
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.line(
                    printer,
                    &job,
                    &format!("{} {conclusion}{reason}", mark(conclusion)),
                )
            }
            Event::RunEnded { .. } => Ok(()),
        }
    }

    /// Lines of a step's log: without their times, with the job's name.
    fn output(&mut self, printer: &mut Printer, job: &JobId, text: &str) -> std::io::Result<()> {
        let mut all = self.open.remove(job).unwrap_or_default();
        all.push_str(text);
        let end = all.rfind('\n').map_or(0, |at| at + 1);
        let (whole, open) = all.split_at(end);
        for line in whole.lines() {
            self.line(printer, job, without_time(line))?;
        }
        if !open.is_empty() {
            self.open.insert(job.clone(), open.to_owned());
        }
        // Somebody watches.
        printer.flush()
    }

    fn rest(&mut self, printer: &mut Printer, job: &JobId) -> std::io::Result<()> {
        match self.open.remove(job) {
            Some(line) => self.line(printer, job, without_time(&line)),
            None => Ok(()),
        }
    }

    fn line(&self, printer: &mut Printer, job: &JobId, text: &str) -> std::io::Result<()> {
        let name = self.names.get(job).map_or(job.0.as_str(), String::as_str);
        printer.data(format!("[{name}] {text}\n"))
    }
}

fn without_time(line: &str) -> &str {
    line.split_once(' ').map_or("", |(_, text)| text)
}

fn first(name: &str) -> &str {
    name.lines().next().unwrap_or_default()
}

fn mark(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "✓",
        Conclusion::Failure => "✗",
        Conclusion::Cancelled => "■",
        Conclusion::Skipped => "–",
    }
}
