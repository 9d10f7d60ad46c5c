use std::error::Error;

/// An error with what caused it, in one line. A cause that the text before it ends with already is not said again: other
/// people's libraries put the cause into their own text.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    #[test]
    fn each_cause_is_said_once() {
        let disk = Layer("no space", None);
        let library = Layer("writing: no space", Some(Box::new(disk)));
        let ours = Layer("cannot keep the layer", Some(Box::new(library)));
        assert_eq!(with_causes(&ours), "cannot keep the layer: writing: no space");
    }
}
