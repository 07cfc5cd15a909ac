//! The stack machine: one opcode after the other, nothing called, everything counted.

use std::{collections::BTreeMap, rc::Rc};

use super::value::{Global, Heap, Object, Storage, TensorRef, Value};
use crate::{
    fault::{Fault, Result},
    model::exchange::cursor::{Cursor, shown},
};

/// Most bytes of a pickle: a state dict of a thousand layers with its optimiser has one.
const MOST_BYTES: usize = 16 << 20;
/// Most values on the stack and in the memo, and most objects.
const MOST_VALUES: usize = 1 << 20;

/// Reads one pickle from the front of `cursor` and returns its objects and its result.
///
/// # Errors
/// Unfit, with the byte, when the pickle is broken, too large, or asks for anything but plain data and tensors.
pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<(Heap, Value)> {
    let mut machine = Machine {
        cursor,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        heap: Heap::default(),
        copied: 0,
    };
    let start = machine.cursor.at();
    loop {
        let at = machine.cursor.at();
        if at - start > MOST_BYTES {
            return Err(machine.cursor.fault(at, "the pickle is longer than that of any network"));
        }
        let opcode = machine.cursor.u8()?;
        if opcode == b'.' {
            let result = machine.pop(at)?;
            return Ok((machine.heap, result));
        }
        machine.step(opcode, at)?;
        let counts = [machine.stack.len(), machine.marks.len(), machine.memo.len(), machine.heap.0.len()];
        if counts.into_iter().any(|count| count > MOST_VALUES) {
            return Err(machine.cursor.fault(at, "the pickle holds more values than that of any network"));
        }
    }
}

struct Machine<'a, 'b> {
    cursor: &'a mut Cursor<'b>,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Value>,
    heap: Heap,
    /// Entries of dictionaries that were made from lists.
    copied: usize,
}

impl Machine<'_, '_> {
    fn step(&mut self, opcode: u8, at: usize) -> Result<()> {
        match opcode {
            0x80 => self.protocol(at),
            0x95 => self.cursor.long_length().map(drop), // FRAME: a hint for buffered reading
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop(at).map(drop),
            b'1' => self.pop_mark(at).map(drop),
            b'2' => {
                let top = self.top(at)?.clone();
                self.push(top)
            }
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool(opcode == 0x88)),
            b'I' | b'J' | b'K' | b'L' | b'M' | 0x8a | 0x8b => self.integer(opcode, at),
            b'F' => self.cursor.line().map(|_| Value::Float).and_then(|value| self.push(value)),
            b'G' => self.cursor.take(8).map(|_| Value::Float).and_then(|value| self.push(value)),
            b'V' | b'X' | 0x8c | 0x8d | b'T' | b'U' | b'B' | b'C' | 0x8e => self.words(opcode, at),
            b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' => self.collection(opcode, at),
            b'a' | b'e' | b's' | b'u' => self.fill(opcode, at),
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode, at),
            b'c' | 0x93 => self.global(opcode, at),
            b'R' => self.reduce(at),
            // The state of an object: a state dict's `_metadata`, of no use here.
            b'b' => self.pop(at).and_then(|_| self.top(at).map(drop)),
            b'Q' => self.persistent(at),
            _ => Err(self.refused(opcode, at)),
        }
    }

    fn protocol(&mut self, at: usize) -> Result<()> {
        let version = self.cursor.u8()?;
        (version <= 5)
            .then_some(())
            .ok_or_else(|| self.cursor.fault(at, format!("pickle protocol {version} is unknown")))
    }

    fn refused(&self, opcode: u8, at: usize) -> Fault {
        let name = match opcode {
            b'i' => "INST",
            b'o' => "OBJ",
            b'P' => "PERSID",
            b'S' => "STRING",
            0x81 => "NEWOBJ",
            0x82..=0x84 => "EXT",
            0x8f => "EMPTY_SET",
            0x90 => "ADDITEMS",
            0x91 => "FROZENSET",
            0x92 => "NEWOBJ_EX",
            0x96 => "BYTEARRAY8",
            0x97 => "NEXT_BUFFER",
            0x98 => "READONLY_BUFFER",
            _ => return self.cursor.fault(at, format!("not a pickle: there is no opcode 0x{opcode:02x}")),
        };
        let what = format!("refused: the pickle uses the opcode {name}, which no state dict needs");
        self.cursor.fault(at, what).hint("save the network again: torch.save({'state_dict': net.state_dict()}, FILE)")
    }

    #[expect(clippy::unnecessary_wraps, reason = "ends the arms of a match whose other arms can fail")]
    fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(value);
        Ok(())
    }

    fn push_object(&mut self, object: Object) -> Result<()> {
        self.heap.0.push(object);
        self.push(Value::Object(self.heap.0.len() - 1))
    }

    /// Takes a value from the stack, not from below the last mark.
    fn pop(&mut self, at: usize) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let value = if self.stack.len() > floor { self.stack.pop() } else { None };
        value.ok_or_else(|| self.cursor.fault(at, "not a pickle: the stack is empty"))
    }

    fn top(&self, at: usize) -> Result<&Value> {
        self.stack.last().ok_or_else(|| self.cursor.fault(at, "not a pickle: the stack is empty"))
    }

    /// Takes all values above the last mark, and the mark.
    fn pop_mark(&mut self, at: usize) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or_else(|| self.cursor.fault(at, "not a pickle: there is no mark"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn integer(&mut self, opcode: u8, at: usize) -> Result<()> {
        let value = match opcode {
            b'J' => Value::Int(i64::from(self.cursor.u32()?.cast_signed())),
            b'K' => Value::Int(i64::from(self.cursor.u8()?)),
            b'M' => Value::Int(i64::from(self.cursor.u16()?)),
            0x8a | 0x8b => {
                let count = if opcode == 0x8a { usize::from(self.cursor.u8()?) } else { self.cursor.length()? };
                whole(self.cursor.take(count)?)
            }
            _ => match self.cursor.line()?.trim_end_matches('L') {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => Value::Int(digits.parse().map_err(|_| self.cursor.fault(at, "an integer is not one"))?),
            },
        };
        self.push(value)
    }

    fn words(&mut self, opcode: u8, at: usize) -> Result<()> {
        let count = match opcode {
            b'V' => {
                let line = Value::Text(self.cursor.line()?.into());
                return self.push(line);
            }
            0x8c | b'U' | b'C' => usize::from(self.cursor.u8()?),
            0x8d | 0x8e => self.cursor.long_length()?,
            _ => self.cursor.length()?,
        };
        let bytes = self.cursor.take(count)?;
        let value = match opcode {
            b'B' | b'C' | 0x8e => Value::Bytes,
            _ => Value::Text(self.cursor.text(bytes, at)?.into()),
        };
        self.push(value)
    }

    fn collection(&mut self, opcode: u8, at: usize) -> Result<()> {
        let object = match opcode {
            b')' => Object::Tuple(Vec::new()),
            b']' => Object::List(Vec::new()),
            b'}' => Object::Dict(Vec::new()),
            b't' => Object::Tuple(self.pop_mark(at)?),
            b'l' => Object::List(self.pop_mark(at)?),
            b'd' => {
                let members = self.pop_mark(at)?;
                Object::Dict(self.pairs(members, at)?)
            }
            count => {
                let count = usize::from(count - 0x84);
                let mut members = (0..count).map(|_| self.pop(at)).collect::<Result<Vec<_>>>()?;
                members.reverse();
                Object::Tuple(members)
            }
        };
        self.push_object(object)
    }

    fn pairs(&self, members: Vec<Value>, at: usize) -> Result<Vec<(Value, Value)>> {
        if !members.len().is_multiple_of(2) {
            return Err(self.cursor.fault(at, "not a pickle: a key without a value"));
        }
        let mut members = members.into_iter();
        Ok(std::iter::from_fn(|| Some((members.next()?, members.next()?))).collect())
    }

    /// Adds values to the list or dictionary below them.
    fn fill(&mut self, opcode: u8, at: usize) -> Result<()> {
        let mut new = match opcode {
            b'a' => vec![self.pop(at)?],
            b's' => {
                let value = self.pop(at)?;
                vec![self.pop(at)?, value]
            }
            _ => self.pop_mark(at)?,
        };
        let new_pairs =
            if matches!(opcode, b's' | b'u') { self.pairs(std::mem::take(&mut new), at)? } else { Vec::new() };
        let target = match self.stack.last() {
            Some(Value::Object(number)) => self.heap.0.get_mut(*number),
            _ => None,
        };
        match (target, opcode) {
            (Some(Object::List(list)), b'a' | b'e') => list.extend(new),
            (Some(Object::Dict(dict)), b's' | b'u') => dict.extend(new_pairs),
            _ => return Err(self.cursor.fault(at, "not a pickle: only lists and dictionaries can be filled")),
        }
        Ok(())
    }

    /// Keeps the top of the stack under a number, or brings such a value back.
    fn remember(&mut self, opcode: u8, at: usize) -> Result<()> {
        let number = match opcode {
            b'h' | b'q' => u64::from(self.cursor.u8()?),
            b'j' | b'r' => u64::from(self.cursor.u32()?),
            0x94 => self.memo.len() as u64,
            _ => self.cursor.line()?.parse().map_err(|_| self.cursor.fault(at, "a memo's number is not one"))?,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let kept = self.memo.get(&number).cloned();
            let kept =
                kept.ok_or_else(|| self.cursor.fault(at, format!("not a pickle: nothing is kept as {number}")))?;
            return self.push(kept);
        }
        let top = self.top(at)?.clone();
        self.memo.insert(number, top);
        Ok(())
    }

    fn global(&mut self, opcode: u8, at: usize) -> Result<()> {
        let (module, name): (Rc<str>, Rc<str>) = if opcode == b'c' {
            (self.cursor.line()?.into(), self.cursor.line()?.into())
        } else {
            match (self.pop(at)?, self.pop(at)?) {
                (Value::Text(name), Value::Text(module)) => (module, name),
                _ => return Err(self.cursor.fault(at, "not a pickle: a name is not text")),
            }
        };
        let known = Global::named(&module, &name).ok_or_else(|| {
            let what = format!("refused: the pickle asks for `{}.{}`", shown(&module), shown(&name));
            self.cursor
                .fault(at, what)
                .hint("a state dict needs no such thing, and a plain `torch.load` would run it: do not open this file if you do not know its author; else save the state dict alone")
        })?;
        self.push(Value::Global(known))
    }

    /// Stands for a call: the few that make data are replaced by that data.
    fn reduce(&mut self, at: usize) -> Result<()> {
        let arguments = self.pop(at)?;
        let function = self.pop(at)?;
        let arguments: Vec<Value> = self.heap.members(&arguments).unwrap_or_default().iter().take(5).cloned().collect();
        match (function, arguments.as_slice()) {
            (Value::Global(Global::OrderedDict), []) => self.push_object(Object::Dict(Vec::new())),
            (Value::Global(Global::OrderedDict), [list]) => {
                let pair = |item: &Value| match self.heap.members(item) {
                    Some([key, value]) => Some((key.clone(), value.clone())),
                    _ => None,
                };
                let entries: Option<Vec<_>> =
                    self.heap.members(list).and_then(|items| items.iter().map(pair).collect());
                let entries =
                    entries.ok_or_else(|| self.cursor.fault(at, "an ordered dictionary is not made of pairs"))?;
                // One list may be named many times: what is copied counts, or a small file could fill the memory.
                self.copied += entries.len();
                if self.copied > MOST_VALUES {
                    return Err(self.cursor.fault(at, "the pickle holds more values than that of any network"));
                }
                self.push_object(Object::Dict(entries))
            }
            (Value::Global(Global::RebuildTensor), [storage, offset, shape, strides, ..]) => {
                let tensor = self.tensor(storage, offset, shape, strides);
                let tensor = tensor.ok_or_else(|| self.cursor.fault(at, "a tensor's description is not one"))?;
                self.push_object(Object::Tensor(tensor))
            }
            (Value::Global(Global::RebuildParameter), [tensor, ..]) => {
                let tensor = tensor.clone();
                self.push(tensor)
            }
            _ => Err(self
                .cursor
                .fault(at, "refused: the pickle wants to call something that is no tensor or dictionary")),
        }
    }

    fn tensor(&self, storage: &Value, offset: &Value, shape: &Value, strides: &Value) -> Option<TensorRef> {
        let Object::Storage(storage) = self.heap.object(storage)? else { return None };
        let Value::Int(offset) = offset else { return None };
        let (shape, strides) = (self.heap.counts(shape)?, self.heap.counts(strides)?);
        let offset = usize::try_from(*offset).ok()?;
        (shape.len() == strides.len()).then(|| TensorRef { storage: storage.clone(), offset, shape, strides })
    }

    /// A storage by name: `('storage', type, key, device, count)`, in old files a view of another storage behind it.
    fn persistent(&mut self, at: usize) -> Result<()> {
        let name = self.pop(at)?;
        let storage = match self.heap.members(&name) {
            Some(
                [
                    Value::Text(word),
                    Value::Global(Global::Storage(scalar)),
                    Value::Text(key),
                    _,
                    Value::Int(count),
                    view @ ..,
                ],
            ) if **word == *"storage" && view.iter().all(|view| *view == Value::None) => {
                usize::try_from(*count).ok().map(|count| Storage { scalar: *scalar, key: Rc::clone(key), count })
            }
            _ => None,
        };
        let storage =
            storage.ok_or_else(|| self.cursor.fault(at, "a storage's description is not one that is known"))?;
        self.push_object(Object::Storage(storage))
    }
}

/// Returns a little-endian two's complement integer.
fn whole(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Wide(bytes.into());
    }
    let fill = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
    let mut eight = [fill; 8];
    for (to, &from) in eight.iter_mut().zip(bytes) {
        *to = from;
    }
    Value::Int(i64::from_le_bytes(eight))
}
