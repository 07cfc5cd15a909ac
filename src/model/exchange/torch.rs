//! Checkpoint files of PyTorch: the zip archives of 1.6 and later, and the plain sequence of pickles and numbers before.
//!
//! ```text
//! zip      NAME/data.pkl  NAME/byteorder  NAME/data/KEY …
//! legacy   pickle: magic | pickle: 1001 | pickle: machine | pickle: the object | pickle: [KEY …] | count, numbers | …
//! ```

use std::{borrow::Cow, collections::BTreeMap, ops::Range, rc::Rc};

use super::{
    cursor::{Cursor, shown},
    pickle::{self, Heap, Object, Scalar, TensorRef, Value},
    state::Tensors,
    zip::{self, Archive},
};
use crate::fault::{Fault, Result};

/// The first number of a legacy file: 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Whether numbers are stored with their first byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteOrder {
    Little,
    Big,
}

/// Where the numbers lie.
#[derive(Debug)]
enum Storages<'a> {
    Zip { archive: Archive<'a>, prefix: String },
    Legacy { bytes: &'a [u8], ranges: BTreeMap<Rc<str>, Range<usize>> },
}

/// A checkpoint whose tensors can be asked for by name.
#[derive(Debug)]
pub(super) struct Checkpoint<'a> {
    tensors: BTreeMap<String, TensorRef>,
    storages: Storages<'a>,
    order: ByteOrder,
    header: Option<String>,
}

/// Returns whether bytes look like a checkpoint file.
pub(super) fn looks_like_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80")
}

impl<'a> Checkpoint<'a> {
    /// Reads the description of a checkpoint; numbers are read when asked for.
    ///
    /// # Errors
    /// Unfit, saying where, when the file is broken or asks for anything but data.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        if bytes.starts_with(b"PK\x03\x04") { Self::open_zip(bytes) } else { Self::open_legacy(bytes) }
    }

    fn open_zip(bytes: &'a [u8]) -> Result<Self> {
        let archive = Archive::open(bytes)?;
        let prefix = archive.names().find_map(|name| name.strip_suffix("data.pkl")).map(str::to_owned);
        let prefix = prefix.ok_or_else(|| {
            let fault = Fault::unfit("the archive is no PyTorch checkpoint: it has no `data.pkl`");
            if archive.names().any(|name| name.contains("constants.pkl")) {
                fault.hint("it holds a program (TorchScript): save the state dict instead")
            } else {
                fault
            }
        })?;
        let order = match archive.size(&format!("{prefix}byteorder")) {
            Some(0..=16) if *archive.read(&format!("{prefix}byteorder"))? == *b"big" => ByteOrder::Big,
            _ => ByteOrder::Little,
        };
        let pickled = archive.read(&format!("{prefix}data.pkl"))?;
        let (heap, root) = pickle::read(&mut Cursor::new(&pickled, "data.pkl"))?;
        let (tensors, header) = (named(&heap, &root)?, text(&heap, &root));
        Ok(Self { tensors, storages: Storages::Zip { archive, prefix }, order, header })
    }

    fn open_legacy(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes, "the checkpoint");
        let (_, magic) = pickle::read(&mut cursor)?;
        let (_, version) = pickle::read(&mut cursor)?;
        if magic != Value::Wide(MAGIC.into()) || version != Value::Int(1001) {
            return Err(Fault::unfit("the file is no PyTorch checkpoint: it does not begin as one")
                .hint("save with torch.save({'state_dict': net.state_dict()}, FILE)"));
        }
        // What machine wrote it is of no use: numbers were written little-endian on all of them.
        drop(pickle::read(&mut cursor)?);
        let (heap, root) = pickle::read(&mut cursor)?;
        let (tensors, header) = (named(&heap, &root)?, text(&heap, &root));
        let ranges = legacy_ranges(&mut cursor, &heap)?;
        Ok(Self { tensors, storages: Storages::Legacy { bytes, ranges }, order: ByteOrder::Little, header })
    }

    /// Returns the bytes of a storage, which must be as many as its numbers need.
    fn storage(&self, tensor: &TensorRef) -> Result<Cow<'_, [u8]>> {
        let storage = &tensor.storage;
        let missing =
            || Fault::unfit(format!("the checkpoint has no numbers for its storage `{}`", shown(&storage.key)));
        let bytes = match &self.storages {
            Storages::Zip { archive, prefix } => archive.read(&format!("{prefix}data/{}", storage.key))?,
            Storages::Legacy { bytes, ranges } => {
                ranges.get(&storage.key).and_then(|range| bytes.get(range.clone())).ok_or_else(missing)?.into()
            }
        };
        if storage.count.checked_mul(storage.scalar.bytes()) != Some(bytes.len()) {
            return Err(Fault::unfit(format!(
                "the storage `{}` has {} bytes, not {} numbers of {}",
                shown(&storage.key),
                bytes.len(),
                storage.count,
                storage.scalar.bytes()
            )));
        }
        Ok(bytes)
    }
}

impl Tensors for Checkpoint<'_> {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.shape.clone())
    }

    fn values(&self, name: &str) -> Result<Vec<f64>> {
        let broken = |why: &str| Fault::unfit(format!("the tensor `{name}` {why}"));
        let tensor = self.tensors.get(name).ok_or_else(|| broken("is missing"))?;
        let bytes = self.storage(tensor).map_err(|fault| fault.within(format!("tensor `{name}`")))?;
        let places = places(tensor).ok_or_else(|| broken("reaches beyond its storage"))?;
        let scalar = tensor.storage.scalar;
        let number = |place: usize| {
            let from = place * scalar.bytes();
            bytes.get(from..from + scalar.bytes()).map(|bytes| number(bytes, scalar, self.order))
        };
        places.into_iter().map(|place| number(place).ok_or_else(|| broken("reaches beyond its storage"))).collect()
    }

    fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }
}

/// Returns where in its storage each number of a tensor lies, the last axis fastest; nothing when one lies outside, or the
/// tensor has more numbers than its storage.
fn places(tensor: &TensorRef) -> Option<Vec<usize>> {
    let total = tensor.shape.iter().try_fold(1_usize, |total, &size| total.checked_mul(size))?;
    if total == 0 {
        return Some(Vec::new());
    }
    let reach = tensor.shape.iter().zip(&tensor.strides).try_fold(tensor.offset, |reach, (&size, &stride)| {
        (size - 1).checked_mul(stride).and_then(|more| reach.checked_add(more))
    })?;
    if total > tensor.storage.count || reach >= tensor.storage.count {
        return None;
    }
    let mut places = vec![tensor.offset];
    for (&size, &stride) in tensor.shape.iter().zip(&tensor.strides) {
        places = places.iter().flat_map(|&place| (0..size).map(move |i| place + i * stride)).collect();
    }
    Some(places)
}

/// Returns a number of a storage; every one but large integers is exact.
fn number(bytes: &[u8], scalar: Scalar, order: ByteOrder) -> f64 {
    let mut word = [0_u8; 8];
    for (to, &from) in word.iter_mut().zip(bytes) {
        *to = from;
    }
    if order == ByteOrder::Big {
        word[..scalar.bytes()].reverse();
    }
    let bits = u64::from_le_bytes(word);
    match scalar {
        Scalar::F64 => f64::from_bits(bits),
        Scalar::F32 => f64::from(f32::from_bits(bits as u32)),
        Scalar::Bf16 => f64::from(f32::from_bits((bits as u32) << 16)),
        Scalar::F16 => half(bits as u16),
        Scalar::I64 => bits.cast_signed() as f64,
        Scalar::I32 => f64::from((bits as u32).cast_signed()),
        Scalar::I16 => f64::from((bits as u16).cast_signed()),
        Scalar::I8 => f64::from((bits as u8).cast_signed()),
        Scalar::U8 => f64::from(bits as u8),
    }
}

/// Returns the value of an IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    /// 2⁻²⁴, the smallest positive half.
    const SMALLEST: f64 = 1.0 / 16_777_216.0;
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * SMALLEST,
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * SMALLEST * f64::from(1_u32 << (exponent - 1)),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// Returns the tensors of a checkpoint's state dict by name.
fn named(heap: &Heap, root: &Value) -> Result<BTreeMap<String, TensorRef>> {
    let state = heap.get(root, "state_dict").unwrap_or(root);
    let entries = heap.entries(state).ok_or_else(|| {
        Fault::unfit("the checkpoint holds no state dict")
            .hint("save with torch.save({'state_dict': net.state_dict()}, FILE)")
    })?;
    let mut tensors = BTreeMap::new();
    for (key, value) in entries {
        let (Value::Text(name), Some(Object::Tensor(tensor))) = (key, heap.object(value)) else { continue };
        // Networks on several cards carry `module.` before every name.
        let name = name.strip_prefix("module.").unwrap_or(name).to_owned();
        if tensors.insert(name.clone(), tensor.clone()).is_some() {
            return Err(Fault::unfit(format!("the checkpoint has the tensor `{}` twice", shown(&name))));
        }
    }
    Ok(tensors)
}

/// Returns what this program wrote beside the state dict.
fn text(heap: &Heap, root: &Value) -> Option<String> {
    match heap.get(root, super::state::HEADER)? {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Reads the list of storages of a legacy file and where the numbers of each lie.
fn legacy_ranges(cursor: &mut Cursor<'_>, heap: &Heap) -> Result<BTreeMap<Rc<str>, Range<usize>>> {
    let sizes: BTreeMap<Rc<str>, usize> =
        heap.storages().map(|storage| (Rc::clone(&storage.key), storage.scalar.bytes())).collect();
    let at = cursor.at();
    let (keys, list) = pickle::read(cursor)?;
    let mut ranges = BTreeMap::new();
    for key in keys.members(&list).unwrap_or_default() {
        let Value::Text(key) = key else { return Err(cursor.fault(at, "the list of storages is not one")) };
        let bytes = *sizes.get(key).ok_or_else(|| cursor.fault(at, "a storage is listed that nothing uses"))?;
        let place = cursor.at();
        let length = cursor.long_length()?.checked_mul(bytes);
        let start = cursor.at();
        cursor.take(length.ok_or_else(|| cursor.fault(place, "an impossible number of numbers"))?)?;
        ranges.insert(Rc::clone(key), start..cursor.at());
    }
    Ok(ranges)
}

/// Returns the bytes of a checkpoint that `torch.load(weights_only=True)` opens.
///
/// # Errors
/// Unfit when the network is too large for a zip archive.
pub(super) fn write(tensors: &[(String, Vec<usize>, Vec<f32>)], header: &str, frozen: usize) -> Result<Vec<u8>> {
    let trainable = tensors.len() - frozen;
    let mut pickle = pickle::Writer::new();
    pickle.raw(b"}(").text("epoch").int(0).text("state_dict").global("collections", "OrderedDict").raw(b")R(");
    for (index, (name, shape, _)) in tensors.iter().enumerate() {
        pickle.text(name).tensor(&index.to_string(), shape);
    }
    // Adam before its first step, so that a training can be continued with a fresh optimiser.
    pickle.raw(b"u").text("optimizer").raw(b"}(").text("state").raw(b"}").text("param_groups").raw(b"]}(");
    pickle.text("lr").float(1e-3).text("betas").float(0.9).float(0.999).raw(b"\x86").text("eps").float(1e-8);
    pickle.text("weight_decay").int(0).text("amsgrad").raw(b"\x89").text("params").raw(b"](");
    for parameter in 0..trainable {
        pickle.int(parameter);
    }
    pickle.raw(b"euau").text(super::state::HEADER).text(header).raw(b"u");
    let mut entries =
        vec![("archive/data.pkl".to_owned(), pickle.finish()), ("archive/byteorder".to_owned(), b"little".to_vec())];
    for (index, (_, _, values)) in tensors.iter().enumerate() {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        entries.push((format!("archive/data/{index}"), bytes));
    }
    entries.push(("archive/version".to_owned(), b"3\n".to_vec()));
    zip::write(&entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::pickle::Storage;

    #[test]
    fn halves_are_exact() {
        let cases =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 5.960_464_477_539_063e-8), (0x8000, 0.0)];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7c00) == f64::INFINITY && half(0x7e00).is_nan());
    }

    #[test]
    fn numbers_of_every_type_and_byte_order_are_read() {
        assert_eq!(number(&1.5_f64.to_be_bytes(), Scalar::F64, ByteOrder::Big), 1.5);
        assert_eq!(number(&0.1_f32.to_le_bytes(), Scalar::F32, ByteOrder::Little), f64::from(0.1_f32));
        assert_eq!(number(&[0x80, 0x3f], Scalar::Bf16, ByteOrder::Little), 1.0);
        assert_eq!(number(&(-3_i64).to_le_bytes(), Scalar::I64, ByteOrder::Little), -3.0);
        assert_eq!(number(&(-3_i32).to_be_bytes(), Scalar::I32, ByteOrder::Big), -3.0);
        assert_eq!(number(&(-3_i16).to_le_bytes(), Scalar::I16, ByteOrder::Little), -3.0);
        assert_eq!(
            (number(&[0xff], Scalar::I8, ByteOrder::Big), number(&[0xff], Scalar::U8, ByteOrder::Big)),
            (-1.0, 255.0)
        );
    }

    #[test]
    fn strides_and_offsets_are_honoured_and_nothing_reaches_out() {
        let view = |offset, shape: &[usize], strides: &[usize]| {
            let storage = Storage { scalar: Scalar::F32, key: "0".into(), count: 12 };
            places(&TensorRef { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() })
        };
        assert_eq!(view(1, &[2, 3], &[1, 4]), Some(vec![1, 5, 9, 2, 6, 10]), "transposed, from the second number on");
        assert_eq!(view(0, &[], &[]), Some(vec![0]), "a number without axes");
        assert_eq!(view(99, &[0, 4], &[4, 1]), Some(vec![]));
        assert_eq!(view(0, &[3, 4], &[4, 1]).map(|places| places.len()), Some(12));
        assert_eq!(view(1, &[3, 4], &[4, 1]), None);
        assert_eq!(view(0, &[13], &[0]), None, "expanded beyond the storage");
        assert_eq!(view(usize::MAX, &[2], &[usize::MAX]), None);
        assert_eq!(view(0, &[usize::MAX, usize::MAX], &[0, 0]), None);
    }
}
