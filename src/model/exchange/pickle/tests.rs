//! Pickles written by hand, opcode by opcode.

use super::{super::cursor::Cursor, *};
use crate::fault::Fault;

fn run(bytes: &[u8]) -> crate::fault::Result<(Heap, Value)> {
    read(&mut Cursor::new(bytes, "data.pkl"))
}

fn refusal(bytes: &[u8]) -> Fault {
    run(bytes).unwrap_err()
}

#[test]
fn plain_data_is_read_in_every_spelling() {
    let (heap, root) =
        run(b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x07\x8c\x01bJ\xff\xff\xff\xff\x8c\x01c\x8a\x02\x00\x80u.").unwrap();
    let get = |name| heap.get(&root, name).cloned();
    assert_eq!([get("a"), get("b"), get("c")], [7, -1, -32768].map(|n| Some(Value::Int(n))));
    let (heap, root) = run(b"(lp0\nI5\naI01\naL7L\nag0\na.").unwrap();
    let members = heap.members(&root).unwrap();
    assert_eq!(members[..3], [Value::Int(5), Value::Bool(true), Value::Int(7)]);
    assert_eq!(members[3], root, "a list within itself does no harm");
}

#[test]
fn what_would_run_code_is_refused_by_name_and_byte() {
    let fault = refusal(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.");
    assert_eq!(fault.what, "refused: the pickle asks for `os.system` (byte 2 of data.pkl)");
    let fault = refusal(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.");
    assert_eq!(fault.what, "refused: the pickle asks for `builtins.eval` (byte 18 of data.pkl)");
    assert!(refusal(b"(S'id'\nios\nsystem\n.").what.contains("STRING"));
    assert!(refusal(b"(ios\nsystem\n.").what.contains("INST"));
    assert!(refusal(b"ctorch\nFloatStorage\n)R.").what.contains("wants to call"), "a storage is not made by a call");
    assert!(refusal(b"ccollections\nOrderedDict\n)\x81.").what.contains("NEWOBJ"));
    assert!(refusal(b"c\x1b[31m\nx\n.").what.contains("`?[31m.x`"), "no control characters on a terminal");
}

#[test]
fn broken_pickles_are_refused() {
    for bytes in [
        &b""[..],
        b"\x80",
        b"\x80\x09.",
        b".",
        b"K",
        b"X\xff\xff\xff\xffab.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"h\x05.",
        b"t.",
        b"(0.",
        b"K\x01K\x02s.",
        b"(K\x01d.",
        b"K\x01a.",
        b"b.",
        b"\xff.",
        b"X\x01\x00\x00\x00\xff.",
        b"\x85.",
        b"K\x01Q.",
        b"I12x\n.",
    ] {
        assert!(run(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_stack_without_end_is_refused() {
    let mut bytes = vec![b'N'; 3 << 20];
    bytes.push(b'.');
    assert!(refusal(&bytes).what.contains("more values"));
    assert!(refusal(&vec![b'('; 3 << 20]).what.contains("more values"));
    assert!(refusal(&b")0".repeat(2 << 20)).what.contains("more values"), "objects that nobody holds count too");
    let mut long = b"N0".repeat(9 << 20);
    long.push(b'.');
    assert!(refusal(&long).what.contains("longer than"));
}

#[test]
fn a_tensor_that_was_written_is_read() {
    let mut writer = Writer::new();
    writer.tensor("7", &[2, 3, 4]);
    let (heap, root) = run(&writer.finish()).unwrap();
    let storage = Storage { scalar: Scalar::F32, key: "7".into(), count: 24 };
    let tensor = TensorRef { storage, offset: 0, shape: vec![2, 3, 4], strides: vec![12, 4, 1] };
    assert_eq!(heap.object(&root), Some(&Object::Tensor(tensor)));
}
