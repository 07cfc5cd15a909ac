//! A picture as PNG bytes: RGB, eight bits, one fixed filter and compression level, no time and no text chunks.

use super::canvas::Picture;

impl Picture {
    /// Returns the picture as a PNG file. The same pixels give the same bytes.
    #[must_use]
    pub fn to_png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.encode(&mut bytes);
        debug_assert!(written.is_ok(), "writing to memory fails only for a picture without pixels: {written:?}");
        bytes
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), ::png::EncodingError> {
        let mut encoder = ::png::Encoder::new(bytes, self.width as u32, self.height as u32);
        encoder.set_color(::png::ColorType::Rgb);
        encoder.set_depth(::png::BitDepth::Eight);
        encoder.set_deflate_compression(::png::DeflateCompression::Level(6));
        encoder.set_filter(::png::Filter::Adaptive);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_back() {
        let rgb: Vec<u8> = (0..3 * 17 * 5).map(|i| (i * 37 % 251) as u8).collect();
        let picture = Picture { width: 17, height: 5, rgb };
        let bytes = picture.to_png();
        assert_eq!(bytes, picture.to_png());
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut decoded).unwrap();
        assert_eq!((frame.width, frame.height), (17, 5));
        assert_eq!(decoded, picture.rgb);
    }
}
