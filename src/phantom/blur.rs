//! The in-plane blur of detector and reconstruction kernel: a Gaussian, one axis after the other.

/// Blurs a slice in place; rows of `width`, edges repeated. `sigma_mm` is the standard deviation.
pub(super) fn blur_slice(values: &mut [f64], width: usize, spacing_mm: [f64; 2], sigma_mm: f64) {
    let height = values.len() / width;
    let across = kernel(sigma_mm / spacing_mm[0]);
    let down = kernel(sigma_mm / spacing_mm[1]);
    let mut line = Vec::new();
    for y in 0..height {
        line.clear();
        line.extend_from_slice(&values[y * width..(y + 1) * width]);
        for x in 0..width {
            values[y * width + x] = convolve(&line, x, &across);
        }
    }
    for x in 0..width {
        line.clear();
        line.extend((0..height).map(|y| values[y * width + x]));
        for y in 0..height {
            values[y * width + x] = convolve(&line, y, &down);
        }
    }
}

/// Returns half of the kernel, middle first, of a Gaussian integrated over voxels; all of it sums to 1.
pub(super) fn kernel(sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma + 0.5).floor() as usize;
    let below = |x: f64| 0.5 * (1.0 + libm::erf(x / (sigma * std::f64::consts::SQRT_2)));
    let half: Vec<f64> = (0..=reach).map(|i| below(i as f64 + 0.5) - below(i as f64 - 0.5)).collect();
    let total = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter().map(|weight| weight / total).collect()
}

fn convolve(line: &[f64], at: usize, half: &[f64]) -> f64 {
    let last = line.len() - 1;
    (1..half.len())
        .fold(half[0] * line[at], |sum, i| sum + half[i] * (line[at.saturating_sub(i)] + line[(at + i).min(last)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_mean_and_has_the_stated_width() {
        let (width, height, sigma) = (31, 31, 1.2);
        let mut values = vec![0.0; width * height];
        values[15 * width + 15] = 1.0;
        blur_slice(&mut values, width, [1.0, 1.0], sigma);
        let total: f64 = values.iter().sum();
        let variance: f64 = (0..width * height).map(|i| values[i] * ((i % width) as f64 - 15.0).powi(2)).sum();
        assert!((total - 1.0).abs() < 1e-12);
        // Integration over a voxel adds its own variance of 1/12.
        assert!((variance - (sigma * sigma + 1.0 / 12.0)).abs() < 0.05, "{variance}");
    }

    #[test]
    fn a_uniform_slice_stays() {
        let mut values = vec![7.0; 12];
        blur_slice(&mut values, 4, [2.0, 2.0], 0.7);
        assert!(values.iter().all(|v| (v - 7.0).abs() < 1e-12));
    }
}
