function tests = golden_tests()
% GOLDEN_TESTS  Numbers against PyTorch and diffusers, whose tensors lie in tests/golden/data. Limits are the C
% tests'; errors observed there and here: up to 1.7e-6.
% SPDX-License-Identifier: MIT
  tests = {
    'encode gives the latents of diffusers', @encode_latents
    'decode gives the pixels of diffusers', @decode_pixels
    'quantize gives the codes of diffusers', @quantize_codes
    'decode_codes gives the pixels of diffusers', @pixels_of_codes
    'predict with timesteps and classes gives the output of diffusers', @predict_output
    'denoise_step follows the trajectory of diffusers', @trajectory
    'pictures that are not square keep rows and columns apart', @not_square
  };
end

function note = encode_latents(env)
  [m, t] = golden_case(env, 'vq_plain');
  info = mdldm.info(m);
  note = check_close(mdldm.encode(m, t.pixels), t.latent * info.scaling_factor, 1e-5);
  check_close(mdldm.encode(m, double(t.pixels), 'BatchSize', 1), t.latent * info.scaling_factor, 1e-5);
end

function note = decode_pixels(env)
  [m, t] = golden_case(env, 'vq_plain');
  info = mdldm.info(m);
  note = check_close(mdldm.decode(m, t.latent * info.scaling_factor, 'Output', 'single'), t.decoded, 1e-5);
  check_close(mdldm.decode(m, t.latent * info.scaling_factor, 'Output', 'single', 'BatchSize', 1), t.decoded, 1e-5);
end

function note = quantize_codes(env)
  [m, t] = golden_case(env, 'vq_plain');
  info = mdldm.info(m);
  [zq, codes] = mdldm.quantize(m, t.latent * info.scaling_factor);
  check(isa(codes, 'int32') && isequal(codes, t.codes), 'other codes');
  note = check_close(zq / info.scaling_factor, t.quantized, 1e-6);
end

function note = pixels_of_codes(env)
  [m, t] = golden_case(env, 'vq_plain');
  note = check_close(mdldm.decode_codes(m, t.other_codes, 'Output', 'single'), t.other_decoded, 1e-5);
end

function note = predict_output(env)
  [m, t] = golden_case(env, 'unet_class_timestep');
  note = check_close(mdldm.predict(m, t.sample, t.timesteps, 'Class', t.labels), t.output, 1e-5);
end

function note = trajectory(env)
  [m, t] = golden_case(env, 'pipeline');
  s = mdldm.sampler(m, 'Scheduler', "model", 'NumInferenceSteps', 4);
  z = t.noise;
  for k = 1:numel(s.Timesteps)
    z = mdldm.denoise_step(s, z, k);
    check_close(z, t.latents(:, :, :, :, k), 1e-5);
  end
  note = check_close(mdldm.decode(m, z, 'Output', 'single'), t.pixels, 1e-5);
end

function note = not_square(env)
  [m, t] = golden_case(env, 'kl_default'); % 12 rows, 16 columns
  check(isequal(size(t.pixels), [12 16 3 2]), 'the golden case changed');
  info = mdldm.info(m);
  note = check_close(mdldm.encode(m, t.pixels), t.mean * info.scaling_factor, 1e-5);
  check_close(mdldm.decode(m, t.latent * info.scaling_factor, 'Output', 'single'), t.decoded, 1e-5);
end
