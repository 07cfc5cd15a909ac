//! What a pickle can hold here: plain data, and tensors that name the storage where their numbers lie.

use std::rc::Rc;

/// The type of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Scalar {
    /// Returns the number of bytes of a number.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

/// A name that a pickle may use. None of them is ever called: they only tell what the data beside them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Scalar),
}

impl Global {
    /// Returns what a name stands for, if it is on the list.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "DoubleStorage") => Self::Storage(Scalar::F64),
            ("torch", "FloatStorage") => Self::Storage(Scalar::F32),
            ("torch", "HalfStorage") => Self::Storage(Scalar::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Scalar::Bf16),
            ("torch", "LongStorage") => Self::Storage(Scalar::I64),
            ("torch", "IntStorage") => Self::Storage(Scalar::I32),
            ("torch", "ShortStorage") => Self::Storage(Scalar::I16),
            ("torch", "CharStorage") => Self::Storage(Scalar::I8),
            ("torch", "ByteStorage" | "BoolStorage") => Self::Storage(Scalar::U8),
            _ => return None,
        })
    }
}

/// A value on the stack; what has parts is an object in the [`Heap`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer that does not fit 64 bits, little-endian two's complement.
    Wide(Rc<[u8]>),
    Float,
    Text(Rc<str>),
    Bytes,
    Global(Global),
    Object(usize),
}

/// Where numbers lie: a named block of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    pub(crate) scalar: Scalar,
    pub(crate) key: Rc<str>,
    /// Numbers in it.
    pub(crate) count: usize,
}

/// A tensor as a view of a storage; offset and strides count numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorRef {
    pub(crate) storage: Storage,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// Something with parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    Tuple(Vec<Value>),
    List(Vec<Value>),
    /// A dictionary, ordered or not, as it was filled.
    Dict(Vec<(Value, Value)>),
    Storage(Storage),
    Tensor(TensorRef),
}

/// Most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;

/// All objects of a pickle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap(pub(super) Vec<Object>);

impl Heap {
    /// Returns the object that a value refers to.
    pub(crate) fn object(&self, value: &Value) -> Option<&Object> {
        match value {
            Value::Object(number) => self.0.get(*number),
            _ => None,
        }
    }

    /// Returns all storages.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// Returns the entries of a dictionary.
    pub(crate) fn entries(&self, value: &Value) -> Option<&[(Value, Value)]> {
        match self.object(value)? {
            Object::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns an entry of a dictionary by its name; the last one wins, as in Python.
    pub(crate) fn get(&self, dictionary: &Value, name: &str) -> Option<&Value> {
        let named = |(key, _): &&(Value, Value)| matches!(key, Value::Text(text) if **text == *name);
        self.entries(dictionary)?.iter().rev().find(named).map(|(_, value)| value)
    }

    /// Returns the members of a tuple or list.
    pub(crate) fn members(&self, value: &Value) -> Option<&[Value]> {
        match self.object(value)? {
            Object::Tuple(members) | Object::List(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the numbers of a tuple: sizes or strides.
    pub(super) fn counts(&self, value: &Value) -> Option<Vec<usize>> {
        let count = |value: &Value| match value {
            Value::Int(count) => usize::try_from(*count).ok(),
            _ => None,
        };
        let members = self.members(value)?;
        if members.len() > MOST_DIMENSIONS { None } else { members.iter().map(count).collect() }
    }
}
