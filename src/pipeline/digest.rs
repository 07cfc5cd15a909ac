//! Digests: blake3 of files and folders, written as 64 hex digits.

use std::{collections::BTreeMap, fmt, fs::File, io, path::Path, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A blake3 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Returns the digest of some bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the digest of a document of one type: `context` keeps digests of different types from ever being equal.
    #[must_use]
    pub fn derive(context: &'static str, bytes: &[u8]) -> Self {
        Self(blake3::derive_key(context, bytes))
    }

    /// Returns the digest and the length of a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok((Self(*hasher.finalize().as_bytes()), hasher.count()))
    }

    /// Returns the digest of a folder of the store from its files: relative name, with `/`, and digest.
    #[must_use]
    pub fn of_folder(files: &BTreeMap<String, Self>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("calvaria v1 folder");
        hasher.update(&(files.len() as u64).to_le_bytes());
        for (name, digest) in files {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&digest.0);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// Returns the first twelve hex digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| format!("`{text}` is no digest of 64 hex digits"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_and_are_blake3() {
        let empty = Digest::of_bytes(b"");
        assert_eq!(empty.to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(empty.to_string().parse::<Digest>(), Ok(empty));
        assert!("af13".parse::<Digest>().is_err());
        let text = serde_json::to_string(&empty).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), empty);
    }

    #[test]
    fn a_folder_is_its_names_and_contents() {
        let one = Digest::of_bytes(b"1");
        let two = Digest::of_bytes(b"2");
        let folder = |files: &[(&str, Digest)]| {
            Digest::of_folder(&files.iter().map(|(name, digest)| ((*name).to_owned(), *digest)).collect())
        };
        assert_eq!(folder(&[("a", one), ("b", two)]), folder(&[("b", two), ("a", one)]));
        assert_ne!(folder(&[("a", one), ("b", two)]), folder(&[("a", two), ("b", one)]));
        assert_ne!(folder(&[("a", one)]), one);
    }
}
