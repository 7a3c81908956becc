function tests = argument_tests()
% ARGUMENT_TESTS  Names, values and what is said about wrong ones.
% SPDX-License-Identifier: MIT
  tests = {
    'options lists the table of the library', @lists_options
    'names in camel case, snake case and capitals are one', @spellings
    'an unknown option is refused, the nearest one suggested', @unknown_option
    'an option of another call is refused', @other_scope
    'values out of range or of a wrong class are refused', @wrong_values
    'a name without a value is refused', @odd_pair
    'errors carry the status and the sentence of the library', @status_errors
    'arrays of a wrong shape or class are refused', @wrong_arrays
    'classes go by name, by number, by list', @classes
    'objects of another class are refused', @wrong_objects
    'configure sets backend, threads and precision', @configures
    'version is that of the library', @has_version
  };
end

function note = lists_options(~)
  table = mdldm.options();
  keys = {table.key};
  check(numel(unique(keys)) == numel(keys) && any(strcmp(keys, 'learning_rate')), 'keys');
  plain = strrep(keys, '_', '');
  check(numel(unique(plain)) == numel(plain), 'two options differ by underscores alone');
  seed = table(strcmp(keys, 'seed'));
  check(strcmp(seed.type, 'int') && strcmp(seed.default, '0') && ~isempty(seed.help) && seed.minimum == 0, 'seed');
  sample = mdldm.options('sample');
  check(numel(sample) < numel(table) && any(strcmp({sample.key}, 'scheduler')), 'scope');
  check_error('mdldm:invalid_argument', 'no scope', @() mdldm.options('nonsense'));
  note = sprintf(' (%d options)', numel(table));
end

function note = spellings(env)
  m = small_model(env, 0);
  a = mdldm.generate(m, 'NumInferenceSteps', 3, 'Seed', 5);
  b = mdldm.generate(m, 'num_inference_steps', 3, 'seed', 5);
  c = mdldm.generate(m, 'numInferenceSteps', '3', 'SEED', 5, 'Output', 'uint8');
  d = mdldm.generate(m, 'NumInferenceSteps', 4, 'Seed', 5);
  check(isequal(a, b) && isequal(a, c), 'spelling changed the image');
  check(~isequal(a, d), 'the option had no effect');
  note = '';
end

function note = unknown_option(env)
  m = small_model(env, 0);
  check_error('mdldm:invalid_argument', '^there is no option num_inferense_steps; did you mean num_inference_steps\?', ...
              @() mdldm.generate(m, 'NumInferenseSteps', 3));
  check_error('mdldm:invalid_argument', 'mdldm.encode has no option Seed', ...
              @() mdldm.encode(m, zeros(16, 16, 3), 'Seed', 3));
  note = '';
end

function note = other_scope(env)
  m = small_model(env, 0);
  check_error('mdldm:invalid_argument', 'learning_rate is not read here \(sample\): it belongs to train', ...
              @() mdldm.generate(m, 'LearningRate', 0.1));
  note = '';
end

function note = wrong_values(env)
  m = small_model(env, 0);
  bad = 'mdldm:invalid_argument';
  check_error(bad, 'eta', @() mdldm.generate(m, 'Eta', 2));
  check_error(bad, 'scheduler', @() mdldm.generate(m, 'Scheduler', 'magic'));
  check_error(bad, 'seed', @() mdldm.generate(m, 'Seed', [1 2]));
  check_error(bad, 'seed', @() mdldm.generate(m, 'Seed', 1.5));
  check_error(bad, 'seed', @() mdldm.generate(m, 'Seed', NaN));
  check_error(bad, 'Count is 0: a whole number from 1', @() mdldm.generate(m, 'Count', 0));
  check_error(bad, 'Count is 1.5', @() mdldm.generate(m, 'Count', 1.5));
  check_error(bad, 'Output', @() mdldm.generate(m, 'Output', 'int8'));
  check_error(bad, 'function handle', @() mdldm.generate(m, 'Progress', 3));
  note = '';
end

function note = odd_pair(env)
  m = small_model(env, 0);
  check_error('mdldm:invalid_argument', 'pairs', @() mdldm.generate(m, 'Count'));
  check_error('mdldm:invalid_argument', 'name', @() mdldm.generate(m, 3, 4));
  note = '';
end

function note = status_errors(env)
  check_error('mdldm:not_found', 'no folder .*nonesuch', @() mdldm.load(fullfile(env.work, 'nonesuch')));
  folder = fullfile(env.work, 'broken');
  mkdir(folder);
  file = fopen(fullfile(folder, 'config.json'), 'w');
  fprintf(file, '{"_class_name": ');
  fclose(file);
  check_error('mdldm:format', 'config.json', @() mdldm.load(folder));
  check_error('mdldm:not_found', 'backend', @() mdldm.configure('Backend', 'abacus'));
  kl = mdldm.load(fullfile(env.golden, 'kl_default'));
  check_error('mdldm:unsupported', 'codebook', @() mdldm.quantize(kl, zeros(4, 4, 4)));
  check_error('mdldm:invalid_argument', 'text', @() mdldm.load(5));
  note = '';
end

function note = wrong_arrays(env)
  m = small_model(env, 0);
  bad = 'mdldm:invalid_argument';
  check_error(bad, '\[H W 3 N\] would be right', @() mdldm.encode(m, zeros(16, 16)));
  check_error(bad, '\[H W 3 N\] would be right', @() mdldm.encode(m, zeros(16, 16, 3, 1, 2)));
  check_error(bad, '.', @() mdldm.encode(m, zeros(15, 16, 3)));
  check_error(bad, 'class int16', @() mdldm.encode(m, zeros(16, 16, 3, 'int16')));
  check_error(bad, 'class', @() mdldm.encode(m, complex(zeros(16, 16, 3), 1)));
  check_error(bad, 'class uint8', @() mdldm.decode(m, zeros(8, 8, 3, 'uint8')));
  check_error(bad, 'would be right', @() mdldm.encode(m, zeros(0, 0, 3)));
  check_error(bad, '.', @() mdldm.decode_codes(m, 99 * ones(4, 4)));
  check_error(bad, 'codes is 0.5', @() mdldm.decode_codes(m, 0.5 * ones(4, 4)));
  check_error(bad, 'one for each image', @() mdldm.predict(m, zeros(8, 8, 3, 2), [1 2 3]));
  kl = mdldm.load(fullfile(env.golden, 'kl_default')); % without a codebook, which would swallow it
  check_error('mdldm:numeric', 'NaN', @() mdldm.decode(kl, NaN(6, 8, 4)));
  note = '';
end

function note = classes(env)
  m = small_model(env, 3);
  check(isequal(m.ClassNames, {'ID_1', 'ID_2', 'ID_3'}), 'names');
  list = {'NumInferenceSteps', 2, 'Scheduler', 'ddim', 'Size', 16};
  a = mdldm.generate(m, 'Class', 'ID_2', 'Count', 2, list{:});
  check(isequal(a, mdldm.generate(m, 'Class', 1, 'Count', 2, list{:})), 'number and name differ');
  check(isequal(a, mdldm.generate(m, 'Class', {'ID_2', 'ID_2'}, 'Count', 2, list{:})), 'list and name differ');
  check(isequal(a, mdldm.generate(m, 'Class', int32([1; 1]), 'Count', 2, list{:})), 'vector and name differ');
  b = mdldm.generate(m, 'Class', {'ID_2', 'ID_3'}, 'Count', 2, list{:});
  check(isequal(a(:, :, :, 1), b(:, :, :, 1)) && ~isequal(a(:, :, :, 2), b(:, :, :, 2)), 'second class had no effect');
  check_error('mdldm:not_found', 'no class is named ID_9; there are: ID_1, ID_2, ID_3', ...
              @() mdldm.generate(m, 'Class', 'ID_9', list{:}));
  check_error('mdldm:invalid_argument', '.', @() mdldm.generate(m, 'Class', 3, list{:}));
  note = '';
end

function note = wrong_objects(env)
  m = small_model(env, 0);
  bad = 'mdldm:invalid_argument';
  check_error(bad, 'mdldm.Model would be right', @() mdldm.encode(3, zeros(16, 16, 3)));
  check_error(bad, 'mdldm.Sampler would be right', @() mdldm.denoise_step(m, zeros(8, 8, 3), 1));
  check_error(bad, 'mdldm object', @() mdldm.free(3));
  check_error(bad, 'called by the functions of the package', @() mdldm_mex('nonsense', [], []));
  check_error(bad, 'called by the functions of the package', @() mdldm_mex());
  check_error(bad, 'is gone', @() mdldm_mex('info', uint64(12345), [], []));
  check_error(bad, 'a sampler is expected', @() mdldm_mex('noise', m.Handle, 3, 1, 8, 8, 0, [], []));
  note = '';
end

function note = configures(env)
  m = small_model(env, 0);
  a = mdldm.generate(m, 'NumInferenceSteps', 2);
  mdldm.configure('Backend', 'reference');
  check(strcmp(mdldm.configure(), 'reference'), 'backend');
  mdldm.configure('Backend', 'auto', 'Precision', 'bf16');
  b = mdldm.generate(m, 'NumInferenceSteps', 2, 'Output', 'single');
  mdldm.configure('Precision', 'f32', 'Threads', 2);
  c = mdldm.generate(m, 'NumInferenceSteps', 2, 'Output', 'single');
  check(isequal(a, mdldm.generate(m, 'NumInferenceSteps', 2)), 'another image with two threads');
  mdldm.configure('Threads', 1);
  check(~isequal(b, c), 'bf16 had no effect');
  check_error('mdldm:invalid_argument', 'precision', @() mdldm.configure('Precision', 'f16'));
  check_error('mdldm:invalid_argument', 'no option', @() mdldm.configure('Colour', 'red'));
  list = mdldm.backends();
  k = find(strcmp({list.name}, 'reference'));
  check(numel(k) == 1 && isempty(list(k).reason), 'the reference backend');
  note = '';
end

function note = has_version(~)
  note = [' (' mdldm.version() ')'];
  check(~isempty(regexp(mdldm.version(), '^\d+\.\d+\.\d+$', 'once')), 'version');
end
