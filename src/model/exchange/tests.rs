//! Round trips through every format, and what a state dict cannot say.

use super::*;
use crate::{
    fault::Kind,
    model::{
        Architecture, border::Border, dilations::Preset, init::initial_parameters, kernels, normalise::Normalisation,
    },
    numeric::Seed,
};

fn model(input_channels: usize, width: usize) -> Model {
    let architecture =
        Architecture { preset: Preset::V05, depth: 4, width, input_channels, classes: 3, border: Border::Reflect };
    let mut parameters = initial_parameters(&architecture, Seed([5; 32]));
    let mut stream = Seed([6; 32]).stream("rest", 0);
    for parameter in &mut parameters[architecture.bias_range().start..] {
        *parameter = (0.1 * stream.normal()) as f32;
    }
    let normalisation = Normalisation { clamp_hu: [-1000.0, 2000.0], mean_hu: -371.123_46, std_hu: 512.3 };
    Model { architecture, normalisation, parameters }
}

/// The tensors of a state dict, changed by `change`, as a safetensors file without anything beside it.
fn dict(model: &Model, change: impl Fn(&mut Vec<(String, Vec<usize>, Vec<f32>)>)) -> Vec<u8> {
    let mut tensors = state::tensors(model);
    change(&mut tensors);
    named::write(&tensors, "{}".to_owned()).unwrap()
}

#[test]
fn what_went_out_comes_back_to_the_bit() {
    for (channels, width) in [(1, 1), (3, 2)] {
        let model = model(channels, width);
        for bytes in [to_torch(&model).unwrap(), to_named_safetensors(&model).unwrap()] {
            let back = import(&bytes, &ImportOptions::default()).unwrap();
            assert_eq!(back, Imported { model: model.clone(), notes: vec![] });
        }
    }
}

#[test]
fn constants_follow_from_the_scaling_when_nothing_else_tells() {
    let model = model(1, 1);
    let bytes = dict(&model, |_| ());
    let back = import(&bytes, &ImportOptions::default()).unwrap();
    let found = &back.model.normalisation;
    assert!((found.mean_hu / -371.123_46 - 1.0).abs() < 2e-7 && (found.std_hu / 512.3 - 1.0).abs() < 2e-7, "{found:?}");
    assert_eq!((back.model.architecture.preset, back.model.architecture.border), (Preset::Public, Border::Symmetric));
    assert_eq!(back.model.parameters, model.parameters);
    for words in ["dilations", "border", "mean", "clamp"] {
        assert!(back.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", back.notes);
    }
    let told = ImportOptions {
        preset: Some(Preset::V05),
        border: Some(Border::Reflect),
        clamp_hu: Some([0.0, 1.0]),
        from_hu: Some([0.5, 100.0]),
    };
    let back = import(&bytes, &told).unwrap();
    // The network saw u = HU / 2 + 100 and centred it at -371.1: HU = -942.2.
    let found = &back.model.normalisation;
    assert!((found.mean_hu + 942.246_9).abs() < 1e-3 && (found.std_hu - 1024.6).abs() < 1e-3, "{found:?}");
    assert!(back.notes.iter().any(|note| note.contains("do not look like Hounsfield units")), "the mean is outside");
}

#[test]
fn a_scaling_that_mixes_channels_is_multiplied_into_the_weights() {
    let (size, mut model) = (kernels::Size { rows: 14, columns: 13 }, model(2, 2));
    model.architecture.border = Border::Symmetric;
    model.architecture.preset = Preset::Public;
    let (matrix, shift) = ([-0.002_f32, 0.0005, 0.0001, 0.003], [0.25_f32, -0.5]);
    let bytes = dict(&model, |tensors| {
        for (name, _, values) in tensors {
            match name.as_str() {
                "0.weight" => *values = matrix.to_vec(),
                "0.bias" => *values = shift.to_vec(),
                _ => (),
            }
        }
    });
    let found = import(&bytes, &ImportOptions::default()).unwrap().model;
    let mut stream = Seed([7; 32]).stream("hu", 0);
    let hu: Vec<f32> = (0..2 * size.pixels()).map(|_| stream.between(-900.0, 900.0) as f32).collect();
    let (first, second) = hu.split_at(size.pixels());
    let theirs: Vec<f32> = (0..2)
        .flat_map(|i| {
            first.iter().zip(second).map(move |(&a, &b)| matrix[2 * i] * a + matrix[2 * i + 1] * b + shift[i])
        })
        .collect();
    let ours: Vec<f32> = hu.iter().map(|&hu| found.normalisation.apply(hu)).collect();
    let run = |image: &[f32], model: &Model| {
        kernels::forward(image, size, &model.parameters, &model.architecture, kernels::Simd::Scalar).1
    };
    let (wanted, got) = (run(&theirs, &model), run(&ours, &found));
    let largest = wanted.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let worst = wanted.iter().zip(&got).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= 1e-5 * largest, "{worst} of {largest}");
}

#[test]
fn wrong_names_shapes_and_options_are_refused() {
    let model = model(1, 1);
    type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;
    let refused =
        |change: &dyn Fn(&mut Tensors)| import(&dict(&model, change), &ImportOptions::default()).unwrap_err().what;
    assert!(
        refused(&|tensors| tensors.retain(|(name, ..)| name != "1.0.msd_block.bias"))
            .contains("no tensor `1.0.msd_block.bias`")
    );
    assert!(
        refused(&|tensors| tensors.push(("2.weight".to_owned(), vec![1], vec![0.0]))).contains("a tensor `2.weight`")
    );
    assert!(refused(&|tensors| tensors[2].1 = vec![3, 1, 3, 3]).contains("`1.0.msd_block.weight2` is [3, 1, 3, 3]"));
    assert!(refused(&|tensors| tensors[0].2[0] = f32::NAN).contains("finite"));
    assert!(refused(&|tensors| tensors.last_mut().unwrap().2[0] = f32::INFINITY).contains("scaling"));
    let no_scale = ImportOptions { from_hu: Some([0.0, 1.0]), ..ImportOptions::default() };
    assert_eq!(import(&dict(&model, |_| ()), &no_scale).unwrap_err().kind, Kind::Usage);
    let empty = ImportOptions { clamp_hu: Some([5.0, 5.0]), ..ImportOptions::default() };
    assert_eq!(import(&dict(&model, |_| ()), &empty).unwrap_err().kind, Kind::Usage);
    assert!(
        import(&model.to_bytes().unwrap(), &ImportOptions::default()).unwrap_err().what.contains("needs no import")
    );
    assert!(import(b"", &ImportOptions::default()).is_err());
    assert!(to_onnx(&Model { parameters: vec![0.0], ..model.clone() }).is_err());
}

#[test]
fn every_byte_of_a_checkpoint_may_be_wrong_without_a_panic() {
    let bytes = to_torch(&model(1, 1)).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        drop(import(&damaged, &ImportOptions::default()));
        if at % 7 == 0 {
            assert!(import(&bytes[..at], &ImportOptions::default()).is_err());
        }
    }
}

#[test]
fn equal_models_give_equal_bytes() {
    let model = model(3, 2);
    assert_eq!(to_torch(&model), to_torch(&model.clone()));
    assert_eq!(to_onnx(&model), to_onnx(&model.clone()));
    assert_eq!(to_named_safetensors(&model), to_named_safetensors(&model.clone()));
}
