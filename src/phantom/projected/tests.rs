//! What the projecting scanner promises, against theory: HU, cupping, sharpness, noise, and the same bytes always.

use std::f64::consts::PI;

use super::*;
use crate::space::DMat3;
use slice::Map;

/// A machine without errors of calibration.
fn protocol(kernel: Kernel) -> Protocol {
    Protocol {
        machine: Machine::Recent,
        kvp: 120.0,
        filter_mm: 7.0,
        photons_mm2: 6e5,
        electronic_photons: 0.0,
        blur_mm: 0.25,
        kernel,
        views: Some(360),
        water_correction: true,
        thickness_mm: None,
        gain: 1.0,
        offset_hu: 0.0,
    }
}

const SIDE: usize = 192;
const PIXEL_MM: f64 = 1.0;

/// The middle of the image, mm on both axes from the first pixel.
const MIDDLE: f64 = 0.5 * (SIDE as f64 - 1.0);

fn grid() -> Grid {
    Grid::new([SIDE, SIDE, 1], DVec3::ZERO, DVec3::new(PIXEL_MM, PIXEL_MM, 1.0), DMat3::IDENTITY).unwrap()
}

/// Returns the slices of a scan without noise.
fn quiet(protocol: &Protocol) -> Slices<'_> {
    Slices { photons: f64::INFINITY, ..slices(protocol, &grid()) }
}

/// Returns the map of a disc about a point near the isocentre; at its edge by 8 x 8 points a pixel.
fn disc(side: usize, at_mm: [f64; 2], radius_mm: f64, density: f64) -> Map {
    let middle = 0.5 * (side as f64 - 1.0);
    let covered = |x: usize, y: usize| {
        let (dx, dy) = (x as f64 - middle - at_mm[0], y as f64 - middle - at_mm[1]);
        let r = (dx * dx + dy * dy).sqrt();
        if (r - radius_mm).abs() > 1.0 {
            return f64::from(u8::from(r < radius_mm));
        }
        let inside = |i: usize| {
            let (u, v) = (dx + (i % 8) as f64 / 8.0 - 0.4375, dy + (i / 8) as f64 / 8.0 - 0.4375);
            u * u + v * v < radius_mm * radius_mm
        };
        (0..64).filter(|&i| inside(i)).count() as f64 / 64.0
    };
    Map::new(side, (0..side * side).map(|i| (density * covered(i % side, i / side)) as f32).collect())
}

/// Returns the map of a ring about the isocentre between two radii, mm; at its edges by the share of a pixel's width.
pub(super) fn ring_map(side: usize, pixel_mm: f64, radii_mm: [f64; 2], density: f64) -> Map {
    let middle = 0.5 * (side as f64 - 1.0);
    let share = |i: usize| {
        let (x, y) = ((i % side) as f64 - middle, (i / side) as f64 - middle);
        let r = (x * x + y * y).sqrt();
        let below = |radius: f64| (radius / pixel_mm - r + 0.5).clamp(0.0, 1.0);
        below(radii_mm[1]) - below(radii_mm[0])
    };
    Map::new(side, (0..side * side).map(|i| (density * share(i)) as f32).collect())
}

fn nothing(side: usize) -> Map {
    Map::new(side, vec![0.0; side * side])
}

fn map_side(slices: &Slices<'_>) -> usize {
    (2.0 * OBJECT_MM / slices.detector.bin_mm).ceil() as usize
}

/// Returns mean and standard deviation over the pixels between two radii about the middle.
fn ring(image: &[f32], from_mm: f64, to_mm: f64) -> (f64, f64) {
    let values: Vec<f64> = (0..SIDE * SIDE)
        .filter(|&i| {
            let (dx, dy) = ((i % SIDE) as f64 - MIDDLE, (i / SIDE) as f64 - MIDDLE);
            (from_mm..to_mm).contains(&(dx * dx + dy * dy).sqrt())
        })
        .map(|i| f64::from(image[i]))
        .collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

#[test]
fn water_and_air_have_their_hu_and_cupping_goes_with_the_correction() {
    let protocol = protocol(Kernel::Soft);
    let with = quiet(&protocol);
    let side = map_side(&with);
    let maps = [disc(side, [0.0; 2], 85.0, 1.0), nothing(side), nothing(side)];
    let cup = |slices: &Slices<'_>| {
        let image = slices.image(&maps, Seed([1; 32]), 0);
        (ring(&image, 0.0, 20.0).0, ring(&image, 72.0, 78.0).0, ring(&image, 90.0, 94.0).0)
    };
    let (middle, rim, air) = cup(&with);
    println!("corrected: middle {middle:.2} rim {rim:.2} air {air:.2} HU");
    assert!(middle.abs() < 2.0 && rim.abs() < 3.0 && (air + 1000.0).abs() < 6.0);
    let bare = Protocol { water_correction: false, ..protocol.clone() };
    let (middle, rim, _) = cup(&quiet(&bare));
    println!("uncorrected: middle {middle:.2} rim {rim:.2} HU");
    assert!(rim - middle > 25.0, "cupping of {:.1} HU", rim - middle);
}

#[test]
fn bone_has_the_hu_that_the_beam_gives_it() {
    let protocol = protocol(Kernel::Soft);
    let slices = quiet(&protocol);
    let side = map_side(&slices);
    let (outer, inner, density) = (85.0, 12.0, material::BONE_G_CM3);
    let hole = disc(side, [0.0; 2], inner, -1.0);
    let water = disc(side, [0.0; 2], outer, 1.0).plus(&hole);
    let maps = [water, disc(side, [0.0; 2], inner, density), nothing(side)];
    let (found, _) = ring(&slices.image(&maps, Seed([1; 32]), 0), 0.0, 6.0);
    // Behind the water that the rays through the insert cross, bone adds to the corrected projection:
    let project = |areal| slices.beam.corrected(slices.beam.raw(areal));
    let around = project([0.2 * (outer - inner), 0.0, 0.0]);
    let through = project([0.2 * (outer - inner), 0.2 * inner * density, 0.0]);
    let expected = 1000.0 * ((through - around) / (2.0 * inner) / slices.beam.water_per_mm() - 1.0);
    println!("bone: {found:.0} HU against {expected:.0} by theory");
    assert!((found - expected).abs() < 0.03 * (expected + 1000.0));
    assert!((1200.0..2000.0).contains(&expected));
}

/// Returns what is left of a wave of a frequency: bins and pixels of the maps, detector, kernel, interpolation.
fn mtf(slices: &Slices<'_>, per_mm: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let (bin, blur) = (slices.detector.bin_mm, slices.protocol.blur_mm);
    let taps = slices.blur.iter().enumerate();
    let detector: f64 =
        taps.map(|(i, w)| (if i == 0 { 1.0 } else { 2.0 }) * w * (2.0 * PI * per_mm * bin * i as f64).cos()).sum();
    assert!(blur > 0.0);
    // A map's pixel averages (sinc), Joseph's method interpolates (sinc²) and so does the way back (sinc²).
    let cut = slices.protocol.kernel.cut_per_mm(PIXEL_MM);
    detector * kernel::window(per_mm, cut) * sinc(per_mm * bin).powi(5)
}

#[test]
fn an_edge_is_as_wide_as_the_transfer_function_says() {
    for kernel in [Kernel::Soft, Kernel::Bone] {
        // One energy, so that blur and logarithm hardly mix: a faint disc.
        let protocol = protocol(kernel);
        let slices = Slices { beam: Beam::single(70.0), ..quiet(&protocol) };
        let side = map_side(&slices);
        let radius = 60.0;
        let maps = [disc(side, [0.0; 2], radius, 0.1), nothing(side), nothing(side)];
        let image = slices.image(&maps, Seed([1; 32]), 0);
        // The profile against the distance from the edge, from all pixels near it.
        let mut near: Vec<(f64, f64)> = (0..SIDE * SIDE)
            .map(|i| {
                let (dx, dy) = ((i % SIDE) as f64 - MIDDLE, (i / SIDE) as f64 - MIDDLE);
                ((dx * dx + dy * dy).sqrt() - radius, (f64::from(image[i]) + 1000.0) / 100.0)
            })
            .filter(|(away, _)| away.abs() < 6.0)
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Running means over forty pixels cross the levels where the profile does.
        let crossing = |level: f64| {
            let mean = |window: &[(f64, f64)]| {
                let sum = window.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
                (sum.0 / window.len() as f64, sum.1 / window.len() as f64)
            };
            near.windows(40).map(mean).find(|&(away, value)| away > -4.0 && value < level).unwrap().0
        };
        let measured = crossing(0.1) - crossing(0.9);
        // Edge response: 1/2 + ∫ MTF(f) sin(2π f x) / (π f) df.
        let edge = |x: f64| {
            let step = 0.001;
            let wave = |i: usize| {
                let f = (i as f64 + 0.5) * step;
                mtf(&slices, f) * (2.0 * PI * f * x).sin() / (PI * f) * step
            };
            0.5 - (0..1000).map(wave).sum::<f64>()
        };
        let at =
            |level: f64| (0..4000).map(|i| -4.0 + 0.002 * f64::from(i)).find(|&x| x > -1.9 && edge(x) < level).unwrap();
        let expected = at(0.1) - at(0.9);
        println!("{kernel:?}: 10-90 % in {measured:.3} mm against {expected:.3} by theory");
        assert!((measured / expected - 1.0).abs() < 0.1);
    }
}

#[test]
fn noise_has_the_power_that_counted_photons_give() {
    let protocol = protocol(Kernel::Soft);
    let slices = slices(&protocol, &grid());
    let side = map_side(&slices);
    let maps = [disc(side, [0.0; 2], 85.0, 1.0), nothing(side), nothing(side)];
    let clean = quiet(&protocol).image(&maps, Seed([1; 32]), 0);
    let noisy = slices.image(&maps, Seed([1; 32]), 0);
    let noise: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
    let (mean, measured) = ring(&noise, 0.0, 25.0);
    // Variance of one projection in the middle: one over the photons alike, by the slope of the correction.
    let areal = [17.0, 0.0, 0.0];
    let seen = slices.beam.behind(areal);
    let alike = slices.photons * seen.energy * seen.energy / seen.energy_squared;
    let slope = slices.beam.correction_slope(slices.beam.raw(areal));
    let variance = slope * slope / alike;
    // σ² = π²/M σ_p² τ ∫ f² W² over all frequencies; linear interpolation between bins takes its mean over places.
    let (tau, cut) = (slices.detector.bin_mm, protocol.kernel.cut_per_mm(PIXEL_MM));
    let step = 1e-4;
    let integral: f64 = (0..(0.5 / tau / step) as usize)
        .map(|i| {
            let f = (i as f64 + 0.5) * step;
            let kept = (2.0 + (2.0 * PI * f * tau).cos()) / 3.0;
            2.0 * step * f * f * kernel::window(f, cut).powi(2) * kept
        })
        .sum();
    let sigma = (PI * PI / slices.detector.views as f64 * variance * tau * integral).sqrt();
    let expected = 1000.0 * sigma / slices.beam.water_per_mm();
    println!("noise {measured:.2} HU against {expected:.2} by theory, mean {mean:.2}");
    assert!((measured / expected - 1.0).abs() < 0.08);
    assert!(mean.abs() < 2.0);
}

#[test]
fn a_slice_is_the_same_on_any_number_of_threads() {
    let protocol = Protocol { views: Some(45), electronic_photons: 9.0, ..protocol(Kernel::Bone) };
    let slices = slices(&protocol, &grid());
    let side = map_side(&slices);
    let maps =
        [disc(side, [3.0, 9.0], 60.0, 1.0), disc(side, [30.0, 0.0], 9.0, 1.9), disc(side, [-30.0, 0.0], 2.0, 7.9)];
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| slices.image(&maps, Seed([4; 32]), 7))
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert_ne!(one, slices.image(&maps, Seed([4; 32]), 8), "the next slice has other photons");
}

#[test]
fn metal_leaves_dark_and_bright_streaks() {
    let protocol = protocol(Kernel::Soft);
    let slices = quiet(&protocol);
    let side = map_side(&slices);
    let water = disc(side, [0.0; 2], 80.0, 1.0);
    let plain = slices.image(&[water.clone(), nothing(side), nothing(side)], Seed([1; 32]), 0);
    let pair = disc(side, [-30.0, 0.0], 3.0, 7.9).plus(&disc(side, [30.0, 0.0], 3.0, 7.9));
    let streaked = slices.image(&[water, nothing(side), pair], Seed([1; 32]), 0);
    let between = MIDDLE as usize * SIDE + MIDDLE as usize;
    assert!(streaked[between] < plain[between] - 100.0, "dark between two pieces: {}", streaked[between]);
}
