//! Packs: replayed alone, refused when changed, silent about who made them.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use calvaria::pipeline::pack;
use serde_json::Value;

use super::{PIPELINE, finished, said, study};
use crate::door::{Room, files_below};

/// What would name this machine or its user.
fn identities(room: &Room) -> Vec<String> {
    let mut names = vec![
        room.path("").to_string_lossy().trim_end_matches('/').to_owned(),
        finished().to_string_lossy().into_owned(),
        env!("CARGO_MANIFEST_DIR").to_owned(),
    ];
    names.extend(std::env::var("HOME"));
    names.extend(fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()));
    names.extend(std::env::var("USER"));
    // Names so short are in any file.
    names.retain(|name| name.len() >= 5 && name != "/root");
    names
}

fn names_in(bytes: &[u8], names: &[String]) -> Option<String> {
    names.iter().find(|name| bytes.windows(name.len()).any(|window| window == name.as_bytes())).cloned()
}

/// The program with no environment and no network, where the kernel lets an ordinary user have that.
fn alone(binary: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let unshare = ["/usr/bin/unshare", "/bin/unshare"].into_iter().find(|path| Path::new(path).exists());
    let allowed = unshare.filter(|unshare| {
        Command::new(unshare)
            .args(["-rn", "/bin/true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    let mut command = match allowed {
        Some(unshare) => {
            let mut command = Command::new(unshare);
            command.arg("-rn").arg(binary);
            command
        }
        None => {
            eprintln!("skipped: no network namespace here, replaying with an empty environment only");
            Command::new(binary)
        }
    };
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "");
    command
}

#[test]
fn acceptance_19_a_pack_replays_offline_to_the_same_tables() {
    let room = study();
    let packed = room.json(&["pack", "-o", "tiny.tar", "--json"]);
    assert_eq!(packed["binary"], true, "{packed}");
    let elsewhere = Room::new();
    fs::rename(room.path("tiny.tar"), elsewhere.path("tiny.tar")).unwrap();
    drop(room);

    // The stranger has nothing but the file: its program comes out of it.
    pack::unpack(fs::File::open(elsewhere.path("tiny.tar")).unwrap(), &elsewhere.path("opened")).unwrap();
    let binary = elsewhere.path("opened/bin/calvaria");
    let stranger = |arguments: &[&str]| said(alone(&binary, &elsewhere.path(""), arguments));
    let replay = stranger(&["replay", "tiny.tar", "--json"]);
    assert_eq!(replay.code, Some(0), "{}{}", replay.out, replay.err);
    let replay: Value = serde_json::from_str(&replay.out).unwrap();
    assert_eq!((&replay["verdict"], &replay["executed"]), (&"equal".into(), &1.into()), "{replay}");
    assert_eq!(replay["results"].as_array().unwrap().len(), 4, "csv, md, tex, json: {replay}");

    let whole = stranger(&["replay", "tiny.tar", "--execute", "--json", "--to", "kept"]);
    assert_eq!(whole.code, Some(0), "{}{}", whole.out, whole.err);
    let whole: Value = serde_json::from_str(&whole.out).unwrap();
    assert_eq!((&whole["verdict"], &whole["executed"]), (&"equal".into(), &7.into()), "{whole}");
    assert!(elsewhere.path("kept/replayed/results/tiny/table1.csv").is_file());
}

#[test]
fn a_pack_that_was_changed_or_cut_or_tells_another_result_is_refused() {
    let room = study();
    room.ok(&["pack", "--no-binary", "-o", "tiny.tar"]);
    let bytes = fs::read(room.path("tiny.tar")).unwrap();
    room.ok(&["pack", "--no-binary", "-o", "again.tar"]);
    assert!(bytes == fs::read(room.path("again.tar")).unwrap(), "two packs of one study differ");
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    room.write("changed.tar", &changed);
    room.write("cut.tar", &bytes[..bytes.len() / 2]);
    for name in ["changed.tar", "cut.tar"] {
        room.refuses(&["replay", name, "--to", "opened"], 4, &["no whole pack", "nothing was unpacked"]);
    }

    // A pack that is whole, but whose table is not what its records give.
    pack::unpack(bytes.as_slice(), &room.path("opened")).unwrap();
    let table = room.path("opened/results/tiny/table1.csv");
    fs::write(&table, fs::read_to_string(&table).unwrap().replacen('0', "9", 1)).unwrap();
    let mut forged = Vec::new();
    let mut writer = pack::Writer::new(&mut forged);
    for (path, contents) in files_below(&room.path("opened")) {
        let name = path.strip_prefix(room.path("opened")).unwrap().to_str().unwrap().to_owned();
        if name != pack::TREE {
            writer.bytes(&name, &contents).unwrap();
        }
    }
    writer.finish().unwrap();
    room.write("forged.tar", &forged);
    let said = room.run(&["replay", "forged.tar"]);
    assert_eq!(said.code, Some(4), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("differs  results/tiny/table1.csv") && said.out.contains("verdict: differs"),
        "{}",
        said.out
    );
    assert!(said.out.contains("equal    results/tiny/table1.md"), "{}", said.out);

    room.write("pipelines/tiny.yaml", PIPELINE.replace("hu: 250", "hu: 251"));
    room.refuses(&["pack", "-o", "new.tar"], 1, &["do not agree"]);
    let manifest = room.path("data-manifests/tiny.yaml").display().to_string();
    room.write("pipelines/tiny.yaml", PIPELINE.replace("../data-manifests/tiny.yaml", &manifest));
    room.refuses(&["pack", "-o", "new.tar"], 2, &["a path of this machine", "tiny.yaml"]);
}

#[test]
fn what_is_shared_names_no_machine_and_no_user() {
    let room = study();
    room.ok(&["pack", "--all", "--no-binary", "-o", "tiny.tar"]);
    let names = identities(&room);
    assert!(names.len() >= 2, "{names:?}");
    let mut looked = 0;
    for (path, bytes) in room.contents() {
        let inside = path.strip_prefix(room.path("")).unwrap().to_string_lossy().into_owned();
        let shared = [
            "pipelines/tiny.lock",
            "results/",
            ".calvaria/ac/",
            ".calvaria/runs/",
            ".calvaria/cas/",
            "tiny.tar",
            "events.jsonl",
        ];
        if shared.iter().any(|start| inside.starts_with(start)) {
            looked += 1;
            assert_eq!(names_in(&bytes, &names), None, "{inside}");
        }
    }
    assert!(looked > 30, "{looked} files were searched");
}
