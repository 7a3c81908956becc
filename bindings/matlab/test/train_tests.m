function tests = train_tests()
% TRAIN_TESTS  Both stages, interrupted and resumed, and a hundred rounds without growth.
% SPDX-License-Identifier: MIT
  tests = {
    'both stages train, save and generate', @both_stages
    'Ctrl-C between two steps is as if nothing had happened', @interrupted_step
    'a run that was interrupted and resumed equals one that was not', @resumed
    'dB matrices in memory train a model that gives dB matrices', @from_memory
    'stage 2 reads pictures as its autoencoder did', @grey_from_files
    'pictures in memory are those of a folder', @pictures_in_memory
    'training options are checked, VaePath is asked for', @training_errors
    'a trainer steps, validates and reports', @by_hand
    'eight bits: quantize_unet gives a model that generates', @eight_bits
    'a hundred rounds of create, train, generate, free do not grow', @no_growth
  };
end

function list = few_steps(n)
  list = {'Resolution', 16, 'MaxTrainSteps', n, 'TrainBatchSize', 4, 'LrWarmupSteps', 0, 'ValidationFraction', 0.25, ...
          'ValidationGap', 0, 'CheckpointingSteps', 0, 'SaveImagesEpochs', 0};
end

function note = both_stages(env)
  data = small_data(env);
  vq = fullfile(env.work, 'vq');
  out = fullfile(env.work, 'model');
  list = few_steps(30);
  [a, first] = mdldm.train('autoencoder', data, 'Preset', "tiny", 'OutputDir', vq, list{:}, 'LearningRate', 2e-3);
  check(isequal(first.step, 1:30) && all(isfinite(first.loss)) && first.loss(30) < first.loss(1), 'stage 1: loss');
  check(isfinite(first.val_psnr(30)) && isnan(first.val_psnr(2)), 'validation');
  info = mdldm.info(a);
  check(info.scaling_factor > 0 && exist(fullfile(vq, 'model_index.json'), 'file') ~= 0, 'stage 1: model');
  [m, second] = mdldm.train('diffusion', data, 'Preset', "tiny", 'VaePath', vq, 'OutputDir', out, list{:}, ...
                            'UseEma', true, 'PredictionType', "v_prediction");
  check(isequal(m.ClassNames, {'ID_1', 'ID_2'}) && all(isfinite(second.loss)), 'stage 2');
  again = mdldm.load(out);
  arguments_of = {'Class', "ID_2", 'Count', 2, 'NumInferenceSteps', 3, 'Size', 16};
  images = mdldm.generate(again, arguments_of{:});
  check(isequal(images, mdldm.generate(m, arguments_of{:})), 'the saved model is another one');
  note = sprintf(' (loss %.3g to %.3g, %.3g to %.3g)', first.loss([1 30]), second.loss([1 30]));
end

function t = small_trainer(env, m, varargin)
  list = few_steps(6);
  d = mdldm.dataset(small_data(env), list{1:2});
  t = mdldm.Trainer('diffusion', m, d, list{3:end}, varargin{:});
end

function losses = run(t, losses)
  r = t.status();
  while r.step < r.total_steps
    r = t.step();
    losses(r.step) = r.loss;
  end
end

function note = interrupted_step(env)
  wanted = run(small_trainer(env, small_model(env, 2)), zeros(1, 6));
  box = test_box();
  t = small_trainer(env, small_model(env, 2), 'Progress', @(stage, done, total) stop_once(box, stage, done));
  losses = zeros(1, 6);
  try
    losses = run(t, losses);
    check(false, 'it was not interrupted');
  catch err
    check(strcmp(err.identifier, 'mdldm:cancelled'), '%s', err.message);
  end
  r = t.status();
  check(r.step == 3, 'it stands at step %d', r.step);
  losses = run(t, losses);
  check(isequal(losses(4:6), wanted(4:6)), 'other losses afterwards');
  note = '';
end

function stop_once(box, stage, done)
  if strcmp(stage, 'train') && done == 3 && isempty(box.items)
    box.add(1);
    ctrl_c();
  end
end

function note = resumed(env)
  vq = fullfile(env.work, 'vq_for_resume');
  list = few_steps(6);
  mdldm.save(small_model(env, 2), vq);
  list = [list {'Preset', 'tiny', 'VaePath', vq, 'Seed', 3}];
  whole = mdldm.train('diffusion', small_data(env), list{:}, 'OutputDir', fullfile(env.work, 'whole'));
  broken = fullfile(env.work, 'broken_off');
  box = test_box();
  check_error('mdldm:cancelled', 'Ctrl-C', @() mdldm.train('diffusion', small_data(env), list{:}, 'OutputDir', broken, ...
              'Progress', @(stage, done, total) stop_once(box, stage, done)));
  check(exist(fullfile(broken, 'checkpoint-3'), 'dir') ~= 0, 'no checkpoint after Ctrl-C');
  m = mdldm.train('diffusion', small_data(env), list{:}, 'OutputDir', broken, 'ResumeFromCheckpoint', "latest");
  z = reshape(single(sin(1:8 * 8 * 3)), [8 8 3]);
  check(isequal(mdldm.predict(m, z, 500, 'Class', 1), mdldm.predict(whole, z, 500, 'Class', 1)), 'other weights');
  note = '';
end

function note = from_memory(~)
  [x, y] = meshgrid(1:16, 1:16);
  db = zeros(16, 16, 1, 12);
  for k = 1:12
    db(:, :, 1, k) = -50 + 45 * exp(-(y - 4 - 6 * mod(k, 2) - 2 * sin(x / 3 + k)) .^ 2 / 4);
  end
  list = few_steps(20);
  d = mdldm.dataset(db, 'Labels', mod(0:11, 2), 'ClassNames', {'anna', "bert"}, list{1:2}, 'DbFloor', -50, 'DbCeiling', 0);
  check(d.Count == 12 && d.Channels == 1 && isequal(d.ClassNames, {'anna', 'bert'}) && isequal(d.DbRange, [-50 0]), 'facts');
  place = 1 + str2double(regexp(d.Names{2}, '\d+$', 'match', 'once'));
  worst = max(max(abs(mdldm.read(d, 2, 'Output', 'dB') - db(:, :, 1, place))));
  check(d.Labels(2) == mod(place - 1, 2) && worst < 1e-4, 'item 2 is off by %g dB', worst);
  list = [list {'Preset', 'tiny', 'LearningRate', 2e-3}];
  vq = mdldm.train('autoencoder', d, list{3:end});
  info = mdldm.info(vq);
  check(info.image_channels == 1 && info.db_floor == -50 && info.db_ceiling == 0, 'the model');
  z = mdldm.encode(vq, db(:, :, :, 1:2), 'Input', 'dB');
  check(isequal(z, mdldm.encode(vq, mdldm.db_to_pixels(db(:, :, :, 1:2), -50, 0))), 'latents');
  back = mdldm.decode(vq, z, 'Output', 'dB');
  check(isequal(size(back), [16 16 1 2]) && all(back(:) >= -50 & back(:) <= 0), 'dB');
  check(mean(abs(back(:) - reshape(db(:, :, :, 1:2), [], 1))) < 12, 'nothing was learnt');
  check_error('mdldm:invalid_argument', 'comes too late', @() mdldm.train('autoencoder', d, 'Strict', 1));
  check_error('mdldm:invalid_argument', 'Labels', @() mdldm.dataset(db, 'Labels', [0 1 2]));
  check_error('mdldm:invalid_argument', '\[H W 1 N\]', @() mdldm.dataset(zeros(4, 4, 3)));
  note = sprintf(' (off by %.1f dB on average)', mean(abs(back(:) - reshape(db(:, :, :, 1:2), [], 1))));
end

function note = grey_from_files(env)
  grey = {'ImageMode', 'L', 'Colormap', 'jet', 'DbFloor', -40, 'DbCeiling', 0};
  list = [few_steps(2) {'Preset', 'tiny'}];
  folder = fullfile(env.work, 'grey_vq');
  mdldm.train('autoencoder', small_data(env), list{:}, grey{:}, 'OutputDir', folder);
  info = mdldm.info(mdldm.load(folder));
  check(isequal(info.colormap, 'jet'), 'the colour map is not kept');
  said = mdldm.train('diffusion', small_data(env), list{:}, grey{:}, 'VaePath', folder);
  taken = mdldm.train('diffusion', small_data(env), list{:}, 'VaePath', folder);
  options = {'Class', 'ID_1', 'NumInferenceSteps', 2, 'Seed', 3, 'Output', 'dB'};
  check(isequal(mdldm.generate(said, options{:}), mdldm.generate(taken, options{:})), 'other pictures');
  check_error('mdldm:invalid_argument', 'image_mode L is expected', ...
              @() mdldm.train('diffusion', small_data(env), list{:}, 'VaePath', folder, 'ImageMode', 'RGB'));
  note = '';
end

function note = pictures_in_memory(env)
  d = mdldm.dataset(small_data(env), 'Resolution', 16);
  pictures = mdldm.read(d, 1:16);
  names = d.ClassNames(d.Labels + 1);
  e = mdldm.dataset(pictures, 'Labels', names, 'Resolution', 16);
  check(isequal(e.ClassNames, d.ClassNames) && isequal(e.Labels, d.Labels) && e.Channels == 3, 'labels');
  check(isequal(mdldm.read(e, 1:16), pictures) && isempty(e.DbRange), 'pictures');
  check_error('mdldm:unsupported', 'dB', @() mdldm.read(e, 1, 'Output', 'dB'));
  check_error('mdldm:invalid_argument', 'for arrays', @() mdldm.dataset(small_data(env), 'Labels', 1));
  note = '';
end

function note = training_errors(env)
  data = small_data(env);
  bad = 'mdldm:invalid_argument';
  check_error(bad, 'VaePath is missing', @() mdldm.train('diffusion', data));
  check_error(bad, 'autoencoder', @() mdldm.train('both', data));
  check_error(bad, 'did you mean learning_rate', @() mdldm.train('autoencoder', data, 'Preset', 'tiny', ...
              'Resolution', 16, 'LerningRate', 1));
  check_error(bad, 'snr_gamma is not read here', @() mdldm.train('autoencoder', data, 'Preset', 'tiny', ...
              'Resolution', 16, 'SnrGamma', 5));
  check_error('mdldm:not_found', '.', @() mdldm.train('autoencoder', fullfile(env.work, 'no_data')));
  note = '';
end

function note = by_hand(env)
  m = small_model(env, 2);
  t = small_trainer(env, m);
  r = t.step();
  check(r.step == 1 && r.total_steps == 6 && isfinite(r.loss), 'first step');
  r = t.validate();
  check(isfinite(r.val_loss), 'validation');
  z = reshape(single(sin(1:8 * 8 * 3)), [8 8 3]);
  before = mdldm.predict(m, z, 500, 'Class', 1);
  t.update_model();
  check(~isequal(before, mdldm.predict(m, z, 500, 'Class', 1)), 'the model did not change');
  check_error('mdldm:invalid_argument', 'while a trainer', @() mdldm.configure('Threads', 2));
  note = '';
end

function note = eight_bits(env)
  m = small_model(env, 2);
  q = mdldm.quantize_unet(m, 'CalibrationImages', 1, 'CalibrationSteps', 2, 'TimestepGroups', 2);
  info = mdldm.info(q);
  check(info.timestep_groups == 2, 'groups');
  images = mdldm.generate(q, 'Class', "ID_1", 'NumInferenceSteps', 2);
  check(isa(images, 'uint8'), 'class');
  note = '';
end

function note = no_growth(env)
  d = mdldm.dataset(small_data(env), 'Resolution', 16);
  list = few_steps(2);
  half = 0;
  for round = 1:100
    m = small_model(env, 2);
    t = mdldm.Trainer('diffusion', m, d, list{3:end});
    t.step();
    t.update_model();
    images = mdldm.generate(m, 'Class', "ID_1", 'NumInferenceSteps', 2, 'Size', 16); %#ok<NASGU>
    clear t m
    if round == 40
      half = resident();
    end
  end
  grown = resident() - half;
  note = sprintf(' (%+d KiB from round 40 to 100, of %d)', grown, half);
  check(grown <= 1024, 'grown by %d KiB from round 40 to 100', grown);
end

function kib = resident()
  text = fileread(sprintf('/proc/%d/status', process_id()));
  kib = str2double(regexp(text, 'VmRSS:\s*(\d+)', 'tokens', 'once'));
end
