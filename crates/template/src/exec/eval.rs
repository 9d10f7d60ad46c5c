//! Pipelines, commands and operands.

use super::Slot;
use super::context::Ctx;
use super::error::At;
use super::walk::Result;
use crate::parse::{Command, Expr, Fields, Number, Pipe};
use crate::quote::quote;
use crate::stack::deeper;
use crate::value::Value;

impl<'e> Ctx<'e> {
    /// The value of the last command; the pipeline's variables get it.
    pub(super) fn pipe(&mut self, dot: &Slot, pipe: &'e Pipe) -> Result<Slot> {
        self.at = Some(At::Pipe(pipe));
        let mut value: Option<Slot> = None;
        for command in &pipe.commands {
            let mut result = self.command(dot, command, value)?;
            // What was seen through an interface is the thing itself from here on.
            result.boxed = false;
            value = Some(result);
        }
        let value = value.unwrap_or(Slot::NONE);
        for variable in &pipe.variables {
            if pipe.assigns {
                self.assign(&variable.name, value.clone())?;
            } else {
                self.variables.push((&variable.name, value.clone()));
            }
        }
        Ok(value)
    }

    /// Gives a value to a variable that exists.
    pub(super) fn assign(&mut self, name: &str, value: Slot) -> Result<()> {
        let variables = self.variables[self.base..].iter_mut();
        match variables.rev().find(|(other, _)| *other == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn variable(&self, name: &str) -> Result<Slot> {
        let variables = self.variables[self.base..].iter();
        match variables.rev().find(|(other, _)| *other == name) {
            Some((_, slot)) => Ok(slot.clone()),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    /// `last` is the value of the command before, which becomes the last argument.
    fn command(&mut self, dot: &Slot, command: &'e Command, last: Option<Slot>) -> Result<Slot> {
        let first = &command.args[0];
        match first {
            Expr::Field { names, .. } => {
                self.at = Some(At::Expr(first));
                self.fields(dot, dot.clone(), first, names, &command.args, last)
            }
            Expr::Variable { name, fields, .. } => {
                self.at = Some(At::Expr(first));
                self.variable_chain(dot, first, name, fields, &command.args, last)
            }
            Expr::Chain { operand, fields, .. } => {
                self.chain(dot, first, operand, fields, &command.args, last)
            }
            Expr::Identifier { .. } => self.function(dot, first, At::Command(command), &command.args, last),
            Expr::Pipe(pipe) => {
                self.not_a_function(&command.args, last.as_ref())?;
                deeper(|| self.pipe(dot, pipe))
            }
            constant => {
                self.at = Some(At::Expr(constant));
                self.not_a_function(&command.args, last.as_ref())?;
                self.constant_command(dot, constant)
            }
        }
    }

    fn constant_command(&mut self, dot: &Slot, constant: &'e Expr) -> Result<Slot> {
        match constant {
            Expr::Dot { .. } => Ok(dot.clone()),
            Expr::Nil { .. } => self.fail("nil is not a command"),
            Expr::Bool { value, .. } => Ok(Slot::plain(Value::Bool(*value))),
            Expr::String { value, .. } => Ok(Slot::plain(value.clone())),
            Expr::Number { number, .. } => self.number(number),
            other => self.fail(format!(
                "can't evaluate command {}",
                quote(other.to_string().as_bytes())
            )),
        }
    }

    fn not_a_function(&self, args: &[Expr], last: Option<&Slot>) -> Result<()> {
        if args.len() > 1 || last.is_some() {
            return self.fail(format!("can't give argument to non-function {}", args[0]));
        }
        Ok(())
    }

    /// A number where nothing asks for a type: its syntax tells which one it has.
    pub(super) fn number(&mut self, number: &Number) -> Result<Slot> {
        let text = &*number.text;
        let is_hex_int = text.len() > 2
            && (text.starts_with("0x") || text.starts_with("0X"))
            && !text.contains(['p', 'P']);
        let looks_like_float =
            !is_hex_int && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
        let value = match (number.complex, number.float, number.int) {
            (Some((real, imaginary)), _, _) => Value::Complex(real, imaginary),
            (None, Some(float), _) if looks_like_float => Value::Float(float),
            (None, _, Some(int)) => Value::int(int),
            _ if number.uint.is_some() => return self.fail(format!("{text} overflows int")),
            _ => Value::Nil,
        };
        Ok(Slot::plain(value))
    }

    pub(super) fn variable_chain(
        &mut self,
        dot: &Slot,
        expr: &'e Expr,
        name: &str,
        fields: &'e Fields,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        let value = self.variable(name)?;
        if fields.is_empty() {
            if !args.is_empty() || last.is_some() {
                self.not_a_function(args, last.as_ref())?;
            }
            return Ok(value);
        }
        self.fields(dot, value, expr, fields, args, last)
    }

    pub(super) fn chain(
        &mut self,
        dot: &Slot,
        expr: &'e Expr,
        operand: &'e Expr,
        fields: &'e Fields,
        args: &'e [Expr],
        last: Option<Slot>,
    ) -> Result<Slot> {
        self.at = Some(At::Expr(expr));
        if let Expr::Nil { .. } = operand {
            return self.fail(format!("indirection through explicit nil in {expr}"));
        }
        let value = self.operand(dot, operand)?;
        self.fields(dot, value, expr, fields, args, last)
    }

    /// An operand that any type will do for.
    pub(super) fn operand(&mut self, dot: &Slot, expr: &'e Expr) -> Result<Slot> {
        self.at = Some(At::Expr(expr));
        match expr {
            Expr::Dot { .. } => Ok(dot.clone()),
            Expr::Nil { .. } => Ok(Slot::NONE),
            Expr::Field { names, .. } => self.fields(dot, dot.clone(), expr, names, &[], None),
            Expr::Variable { name, fields, .. } => self.variable_chain(dot, expr, name, fields, &[], None),
            Expr::Pipe(pipe) => deeper(|| self.pipe(dot, pipe)),
            Expr::Identifier { .. } => self.function(dot, expr, At::Expr(expr), &[], None),
            Expr::Chain { operand, fields, .. } => self.chain(dot, expr, operand, fields, &[], None),
            Expr::Bool { value, .. } => Ok(Slot::plain(Value::Bool(*value))),
            Expr::String { value, .. } => Ok(Slot::plain(value.clone())),
            Expr::Number { number, .. } => self.number(number),
        }
    }
}
