//! Writes the pickle of a checkpoint: protocol 2, and only what `torch.load(weights_only=True)` reads.

/// A pickle in the making. Values are written in order; what has parts is opened, filled and closed.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![0x80, 2])
    }

    /// Returns the finished pickle.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'.');
        self.0
    }

    /// Writes an opcode that has no argument.
    pub(crate) fn raw(&mut self, opcodes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes())
    }

    /// Writes an integer below 2³¹.
    pub(crate) fn int(&mut self, value: usize) -> &mut Self {
        self.0.push(b'J');
        self.raw(&(value as u32).to_le_bytes())
    }

    pub(crate) fn float(&mut self, value: f64) -> &mut Self {
        self.0.push(b'G');
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.raw(b"c").raw(module.as_bytes()).raw(b"\n").raw(name.as_bytes()).raw(b"\n")
    }

    /// Writes a tuple of integers.
    pub(crate) fn counts(&mut self, counts: &[usize]) -> &mut Self {
        self.raw(b"(");
        for &count in counts {
            self.int(count);
        }
        self.raw(b"t")
    }

    /// Writes a contiguous f32 tensor that fills the storage `key`.
    pub(crate) fn tensor(&mut self, key: &str, shape: &[usize]) -> &mut Self {
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        self.global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text("storage").global("torch", "FloatStorage");
        self.text(key).text("cpu").int(shape.iter().product()).raw(b"tQ").int(0).counts(shape).counts(&strides);
        self.raw(b"\x89").global("collections", "OrderedDict").raw(b")RtR")
    }
}
