//! Packs are the same bytes each time, come back as they were, and no byte of one can change unseen.

use std::{fs, path::Path};

use super::{Writer, header::Header, name, unpack};
use crate::fault::Kind;

fn pack() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    writer.bytes("pack.json", b"{}\n").unwrap();
    writer.bytes("results/small/table1.csv", b"1,2\n3,4\n").unwrap();
    writer.bytes(&format!("store/cas/ab/{}/slices/{}.png", "a".repeat(64), "b".repeat(60)), &[7; 600]).unwrap();
    writer.finish().unwrap();
    bytes
}

fn into(folder: &Path, bytes: &[u8]) -> crate::fault::Result<()> {
    unpack(bytes, &folder.join("study")).map(drop)
}

#[test]
fn a_pack_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = pack();
    assert_eq!(bytes, pack(), "the same contents give the same pack");
    into(dir.path(), &bytes).unwrap();
    assert_eq!(fs::read(dir.path().join("study/results/small/table1.csv")).unwrap(), b"1,2\n3,4\n");
    assert!(into(dir.path(), &bytes).is_err_and(|fault| fault.kind == Kind::Usage), "the folder exists");
}

#[test]
fn every_changed_byte_and_every_cut_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = pack();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let fault = into(dir.path(), &changed).expect_err(&format!("byte {at} was changed unseen"));
        assert_eq!(fault.kind, Kind::Mismatch, "byte {at}: {fault}");
    }
    for length in (0..bytes.len()).step_by(64) {
        assert!(into(dir.path(), &bytes[..length]).is_err_and(|fault| fault.kind == Kind::Mismatch), "{length}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(into(dir.path(), &longer).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = "a".repeat(300);
    let wrong = [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/.",
        "a\\..\\b",
        "c:evil",
        "a\0b",
        "a\nb",
        "a/b.",
        "nul?",
        "a b ",
        long.as_str(),
    ];
    for name in wrong {
        assert!(name::check(name).is_err(), "{name:?} was allowed");
        let mut sink = Vec::new();
        assert!(Writer::new(&mut sink).bytes(name, b"x").is_err(), "{name:?} was packed");
    }
    for name in ["a", "pipelines/quick.yaml", "data/c01/Schädel ohne Helm.stl", "a/.hidden"] {
        assert_eq!(name::check(name), Ok(()), "{name}");
    }
    let mut twins = Writer::new(Vec::new());
    twins.bytes("Table.csv", b"1").unwrap();
    assert!(twins.bytes("table.CSV", b"1").is_err(), "twins but for capitals");
    assert!(twins.bytes("table.csv/x", b"1").is_err(), "a folder where a file is");

    // What no writer of ours makes, a reader refuses all the same.
    let dir = tempfile::tempdir().unwrap();
    for name in ["../evil", "/evil", "a/../../evil"] {
        let header = Header { name: name.to_owned(), bytes: 1, executable: false };
        let hostile = [header.encode().unwrap().as_slice(), b"x", &[0; 511]].concat();
        let fault = into(dir.path(), &hostile).unwrap_err();
        assert!(fault.kind == Kind::Mismatch && fault.what.contains("evil"), "{fault}");
    }
    // A symbolic link, as other programs write it.
    let mut link = Header { name: "a".into(), bytes: 0, executable: false }.encode().unwrap();
    link[156] = b'2';
    assert!(into(dir.path(), &link).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn other_programs_read_the_headers() {
    let header = Header { name: "bin/calvaria".into(), bytes: 0o1234, executable: true };
    let block = header.encode().unwrap();
    assert_eq!(Header::decode(&block), Some(header));
    assert_eq!(&block[257..265], b"ustar\x0000");
    assert_eq!(&block[124..136], b"00000001234\0");
}
