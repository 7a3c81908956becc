function tests = image_tests()
% IMAGE_TESTS  Pictures in and out, and the same ones as the C programs make.
% SPDX-License-Identifier: MIT
  tests = {
    'a picture written and read again is the same', @round_trip
    'bytes and their pixels give the same latents', @bytes_and_pixels
    'bytes out are the rounded pixels', @bytes_out
    'an image does not depend on batch size or neighbours', @batches
    'noise, denoise steps and decode make what generate makes', @by_hand
    'the same seed gives the image of mdldm-generate, bit for bit', @same_as_program
    'a data set is read as training sees it', @reads_data
  };
end

function note = round_trip(env)
  picture = uint8(reshape(mod(7 * (1:9 * 14 * 3), 256), [9 14 3]));
  path = fullfile(env.work, 'picture.png');
  mdldm.write_image(path, picture);
  check(isequal(mdldm.read_image(path), picture), 'another picture came back');
  note = '';
  try % the host's own reader, where it has one
    check(isequal(imread(path), picture), 'imread sees another picture');
  catch err
    check(strcmp(err.identifier, 'Octave:undefined-function') || ~isempty(strfind(err.message, 'ImageMagick')) || ...
          ~isempty(strfind(err.message, 'Magick++')), '%s', err.message);
    note = ' (no imread here)';
  end
  check_error('mdldm:invalid_argument', 'uint8', @() mdldm.write_image(path, double(picture)));
end

function note = bytes_and_pixels(env)
  m = small_model(env, 0);
  pictures = uint8(reshape(mod(13 * (1:16 * 32 * 3 * 5), 256), [16 32 3 5]));
  pixels = single(pictures) / 127.5 - 1;
  a = mdldm.encode(m, pictures, 'BatchSize', 2);
  check(isequal(size(a), [8 16 3 5]) && isa(a, 'single'), 'size or class of the latents');
  note = check_close(a, mdldm.encode(m, pixels), 1e-6);
  note = strrep(note, 'error 0,', 'no difference,');
end

function note = bytes_out(env)
  m = small_model(env, 0);
  z = mdldm.encode(m, uint8(reshape(mod(13 * (1:16 * 24 * 3 * 3), 256), [16 24 3 3])));
  pixels = mdldm.decode(m, z, 'Output', 'single');
  bytes = mdldm.decode(m, z);
  wanted = 127.5 * (min(max(double(pixels), -1), 1) + 1);
  check(isa(bytes, 'uint8') && isequal(size(bytes), [16 24 3 3]), 'size or class');
  check(max(abs(double(bytes(:)) - wanted(:))) <= 0.5001, 'not rounded to the nearest');
  note = '';
end

function note = batches(env)
  m = small_model(env, 2);
  list = {'Class', {'ID_1', 'ID_2', 'ID_1', 'ID_2', 'ID_1'}, 'Count', 5, 'NumInferenceSteps', 3, 'Seed', 11};
  a = mdldm.generate(m, list{:});
  check(isequal(a, mdldm.generate(m, list{:}, 'BatchSize', 2)), 'batch size changed the images');
  b = mdldm.generate(m, 'Class', 'ID_2', 'FirstIndex', 3, 'NumInferenceSteps', 3, 'Seed', 11);
  check(isequal(a(:, :, :, 4), b), 'image 4 alone is another one');
  note = '';
end

function note = by_hand(env)
  m = small_model(env, 2);
  list = {'Scheduler', 'dpmsolver++', 'NumInferenceSteps', 4, 'GuidanceScale', 1.5, 'Seed', 3};
  s = mdldm.sampler(m, list{:});
  z = mdldm.noise(s, 'Count', 2, 'FirstIndex', 5);
  for k = 1:numel(s.Timesteps)
    z = mdldm.denoise_step(s, z, k, 'Class', 'ID_2', 'FirstIndex', 5);
  end
  check(isequal(mdldm.decode(m, z), mdldm.generate(m, 'Class', 'ID_2', 'Count', 2, 'FirstIndex', 5, list{:})), ...
        'other images');
  check_error('mdldm:invalid_argument', '.', @() mdldm.denoise_step(s, z, numel(s.Timesteps) + 1, 'Class', 0));
  check_error('mdldm:invalid_argument', 'the step is -1', @() mdldm.denoise_step(s, z, 0, 'Class', 0));
  note = '';
end

function note = same_as_program(env)
  program = fullfile(fileparts(getenv('MDLDM_BACKEND_DIR')), 'bin', 'mdldm-generate');
  if ~exist(program, 'file')
    program = fullfile(env.root, 'build', 'bin', 'mdldm-generate');
  end
  check(exist(program, 'file') ~= 0, 'there is no %s: make builds it', program);
  m = small_model(env, 2);
  folder = fullfile(env.work, 'for_c');
  mdldm.save(m, folder);
  out = fullfile(env.work, 'from_c');
  [status, text] = system(sprintf(['"%s" --model_path "%s" --output_dir "%s" --num_images 3 --seed 42 --quiet ' ...
                                   '--scheduler ddim --num_inference_steps 5 --threads 1 2>&1'], program, folder, out));
  check(status == 0, 'mdldm-generate: %s', text);
  for class = 1:2
    images = mdldm.generate(m, 'Class', m.ClassNames{class}, 'Count', 3, 'Seed', 42, 'Scheduler', 'ddim', ...
                            'NumInferenceSteps', 5, 'FirstIndex', 1e6 * (class - 1));
    for k = 1:3
      path = fullfile(out, sprintf('%s_%04d_seed42.png', m.ClassNames{class}, k - 1));
      check(isequal(mdldm.read_image(path), images(:, :, :, k)), '%s is another image', path);
    end
  end
  note = ' (6 images)';
end

function note = reads_data(env)
  folder = small_data(env);
  d = mdldm.dataset(folder, 'Resolution', 16);
  check(d.Count == 16 && d.Skipped == 0 && isequal(d.ClassNames, {'ID_1', 'ID_2'}), 'count or classes');
  check(isequal(d.Labels, [zeros(1, 8) ones(1, 8)]), 'labels');
  pictures = mdldm.read(d, [1 10]);
  check(isequal(pictures(:, :, :, 1), mdldm.read_image(fullfile(folder, d.Names{1}))), 'image 1');
  check(isequal(pictures(:, :, :, 2), mdldm.read_image(fullfile(folder, d.Names{10}))), 'image 10');
  check_error('mdldm:invalid_argument', '.', @() mdldm.read(d, 17));
  check_error('mdldm:not_found', '.', @() mdldm.dataset(fullfile(env.work, 'nothing_here')));
  note = '';
end
