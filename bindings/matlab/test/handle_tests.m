function tests = handle_tests()
% HANDLE_TESTS  Lifetimes, callbacks, Ctrl-C.
% SPDX-License-Identifier: MIT
  tests = {
    'objects free what they hold when nothing refers to them', @destructors
    'free frees at once, later use is an error, twice is fine', @freed
    'the order of freeing does not matter', @any_order
    'clearing the gateway releases everything, old objects say so', @cleared
    'nothing is printed unless asked for', @silent
    'progress is reported, in order', @progress
    'an error in a callback ends the call and comes through', @callback_error
    'a callback cannot call the library, but may drop objects', @callback_calls
    'the log arrives', @log_lines
    'Ctrl-C ends a call, the next one runs', @interrupt
    'Ctrl-C at the very end of a call does not end the next one', @late_interrupt
    'Ctrl-C belongs to the host again after a call', @handler_restored
  };
end

function n = alive()
  n = mdldm_mex('handles', [], []);
end

function note = destructors(env)
  before = alive();
  m = small_model(env, 2);
  s = mdldm.sampler(m, 'NumInferenceSteps', 2);
  check(alive() == before + 2, 'two objects');
  other = m;
  clear m
  check(alive() == before + 2, 'the model went although the sampler and a variable hold it');
  clear s
  check(alive() == before + 1, 'the sampler stays');
  other = 3; %#ok<NASGU>
  check(alive() == before, 'the model stays');
  note = '';
end

function note = freed(env)
  before = alive();
  m = small_model(env, 0);
  mdldm.free(m);
  check(alive() == before, 'it stays');
  check_error('mdldm:invalid_argument', 'the model is gone', @() mdldm.info(m));
  mdldm.free(m);
  another = small_model(env, 0); % takes the slot
  mdldm.free(m);
  check(alive() == before + 1, 'an old handle freed a new object');
  check_error('mdldm:invalid_argument', 'the model is gone', @() mdldm.info(m));
  mdldm.info(another);
  note = '';
end

function note = any_order(env)
  before = alive();
  m = small_model(env, 0);
  s = mdldm.sampler(m, 'NumInferenceSteps', 2);
  mdldm.free(m); % the sampler keeps what it needs
  z = mdldm.denoise_step(s, zeros(8, 8, 3), 1);
  check(isequal(size(z), [8 8 3]), 'size');
  mdldm.free(s);
  check(alive() == before, 'something stays');
  note = '';
end

function note = cleared(env)
  m = small_model(env, 0);
  clear mdldm_mex
  check(alive() == 0, 'something stays');
  check_error('mdldm:invalid_argument', 'the model is gone', @() mdldm.info(m));
  n = small_model(env, 0);
  clear m % its handle is from before
  check(alive() == 1, 'the destructor of an old object freed a new one');
  mdldm.info(n);
  mdldm.configure('Threads', 1);
  note = '';
end

function note = silent(env)
  text = evalc('quiet_work(env);');
  check(isempty(text), 'it printed: %s', text);
  note = '';
end

function quiet_work(env) %#ok<DEFNU>
  m = small_model(env, 0);
  images = mdldm.generate(m, 'NumInferenceSteps', 2);
  z = mdldm.encode(m, images);
  mdldm.quantize(m, z);
  mdldm.save(m, fullfile(env.work, 'silent'));
  mdldm.dataset(small_data(env), 'Resolution', 16);
end

function note = progress(env)
  m = small_model(env, 0);
  box = test_box();
  mdldm.generate(m, 'NumInferenceSteps', 4, 'Progress', @(stage, done, total) box.add({stage, done, total}));
  check(strcmp(box.items{1}{1}, 'denoise') && box.items{1}{2} == 0 && box.items{1}{3} == 4, 'first report');
  done = cellfun(@(r) r{2}, box.items(cellfun(@(r) strcmp(r{1}, 'denoise'), box.items)));
  check(isequal(done, 0:4), 'denoise steps');
  note = '';
end

function note = callback_error(env)
  m = small_model(env, 0);
  check_error('my:identifier', '^stop at 2$', @() mdldm.generate(m, 'NumInferenceSteps', 9, 'Progress', @at_two));
  check_error('mdldm:callback', 'no identifier', ...
              @() mdldm.generate(m, 'NumInferenceSteps', 9, 'Progress', @(s, d, t) error('no identifier')));
  mdldm.generate(m, 'NumInferenceSteps', 2);
  note = '';
end

function at_two(~, done, ~)
  if done == 2
    error('my:identifier', 'stop at %d', done);
  end
end

function note = callback_calls(env)
  before = alive();
  m = small_model(env, 0);
  box = test_box();
  box.add(small_model(env, 0));
  check_error('mdldm:busy', 'from a callback', ...
              @() mdldm.generate(m, 'NumInferenceSteps', 2, 'Progress', @(s, d, t) mdldm.version()));
  mdldm.generate(m, 'NumInferenceSteps', 2, 'Progress', @(s, d, t) box.drop());
  check(alive() == before + 1, 'the object dropped in a callback stays');
  note = '';
end

function note = log_lines(~)
  box = test_box();
  clear mdldm_mex % a new context says which backend it takes
  m = mdldm.create('Preset', 'tiny', 'Resolution', 16, 'NumClasses', 0, 'Components', 'autoencoder');
  mdldm.encode(m, zeros(16, 16, 3), 'Log', @(level, text) box.add({level, text}));
  said = cellfun(@(r) r{2}, box.items, 'UniformOutput', false);
  check(any(~cellfun(@isempty, regexp(said, '^backend '))), 'nothing about the backend');
  mdldm.configure('Threads', 1);
  note = sprintf(' ("%s")', said{end});
end

function press(done, at)
  if done == at
    ctrl_c();
  end
end

function note = interrupt(env)
  m = small_model(env, 0);
  before = alive();
  wanted = mdldm.generate(m, 'NumInferenceSteps', 3);
  check_error('mdldm:cancelled', 'Ctrl-C', ...
              @() mdldm.generate(m, 'NumInferenceSteps', 500, 'Progress', @(s, d, t) press(d, 2)));
  check(alive() == before, 'something stays');
  check(isequal(mdldm.generate(m, 'NumInferenceSteps', 3), wanted), 'another image afterwards');
  note = '';
end

function note = late_interrupt(env)
  m = small_model(env, 0);
  z = zeros(8, 8, 3);
  wanted = mdldm.decode(m, z);
  check_error('mdldm:cancelled', 'Ctrl-C', @() mdldm.decode(m, z, 'Progress', @(s, d, t) press(d, t)));
  check_error('mdldm:cancelled', 'Ctrl-C', @() mdldm.decode(m, z, 'Progress', @(s, d, t) press(d, t)));
  check(isequal(mdldm.decode(m, z), wanted), 'the next call');
  note = '';
end

function note = handler_restored(env)
  note = '';
  if exist('OCTAVE_VERSION', 'builtin') == 0
    note = ' (Octave only)';
    return
  end
  folder = fullfile(env.work, 'for_child');
  mdldm.save(small_model(env, 0), folder);
  code = sprintf(['warning off; addpath("%s"); addpath("%s"); m = mdldm.load("%s"); ' ...
                  'mdldm.generate(m, "NumInferenceSteps", 2); disp("called"); fflush(stdout); ' ...
                  '[s, t] = system(sprintf("(sleep 0.5; kill -INT %%d) >/dev/null 2>&1 &", getpid())); ' ...
                  'pause(60); disp("not interrupted");'], ...
                 fileparts(fileparts(which('mdldm.version'))), fileparts(which('mdldm_mex')), folder);
  file = fopen(fullfile(env.work, 'child.m'), 'w');
  fprintf(file, '%s\n', code);
  fclose(file);
  [~, text] = system(sprintf('octave-cli --norc --quiet --no-history "%s" 2>&1', fullfile(env.work, 'child.m')));
  check(~isempty(strfind(text, 'called')) && isempty(strfind(text, 'not interrupted')), 'the child said: %s', text);
end
