function [m, record] = train(stage, data, varargin)
% mdldm.train  Trains a model: m = mdldm.train(stage, data, Name, Value, ...)
%   stage  'autoencoder' (stage 1), or 'diffusion' (stage 2, on the latents of an autoencoder)
%   data   folder or .zip whose sub-folders are the classes, or a mdldm.Dataset (which can hold dB matrices)
%   m      the trained model; record: struct of row vectors, record.step and record.<metric>, NaN where a step
%          has no such value
%
%   vq = mdldm.train('autoencoder', 'data', 'Preset', "small", 'OutputDir', "vqvae", 'MaxTrainSteps', 2000);
%   m = mdldm.train('diffusion', 'data', 'Preset', "small", 'VaePath', "vqvae", 'OutputDir', "model", ...
%                   'MaxTrainSteps', 1000, 'UseEma', true);
%
%   'Model'             go on with this mdldm.Model instead of a new one
%   'ValidationEpochs'  measure on the held-out images every so many epochs (10; 0: only at the end)
%   'Verbose'           true: a line now and then (false)
%   'Progress'          @(stage, done, total), 'Log' @(level, text); an error in them ends the call
% All else is the library's: mdldm.options('train'), ('vq') or ('diffusion'), ('model'), ('dataset').
% Stage 2 reads pictures as its autoencoder was trained on (one channel, colour map, range in dB) where nothing else
% is said. With OutputDir checkpoints and the finished model are written; after a Ctrl-C there is a checkpoint of the
% last whole step, and the same call with 'ResumeFromCheckpoint', "latest" goes on bit for bit.
% SPDX-License-Identifier: MIT
  own = struct('Model', [], 'ValidationEpochs', 10, 'Verbose', false);
  [own, pairs, hooks] = mdldm.internal.parse(varargin, own);
  stage = mdldm.internal.text(stage);
  calls = {'Progress', own.Progress, 'Log', own.Log};
  opened = isa(data, 'mdldm.Dataset');
  [for_data, for_model, for_trainer] = deal_out(pairs, stage, opened, ~isempty(own.Model));
  if ~opened
    if strcmp(stage, 'diffusion')
      for_data = like_autoencoder(for_data, own.Model, for_model, calls);
    end
    data = mdldm.Dataset(for_data, hooks, 'dataset', mdldm.internal.text(data));
  end
  m = own.Model;
  if isempty(m)
    m = new_model(stage, data, for_model, calls);
  end
  t = mdldm.Trainer(stage, m, data, for_trainer{:}, calls{:});
  folder = value_of(for_trainer, 'output_dir');
  try
    record = run(t, m, own, folder, for_trainer);
  catch err
    if strcmp(err.identifier, 'mdldm:cancelled') && ~isempty(folder)
      quiet = mdldm.internal.call([], 'trainer_do', t.Handle, 'checkpoint'); %#ok<NASGU>
    end
    rethrow(err);
  end
  mdldm.free(t);
end

function record = run(t, m, own, folder, pairs)
  record = struct('step', []);
  r = t.status();
  checkpoint = value_of(pairs, 'checkpointing_steps');
  save_epochs = value_of(pairs, 'save_model_epochs');
  while r.step < r.total_steps
    r = t.step();
    record = append(record, r);
    if ~isempty(folder) && due(r.step, checkpoint)
      t.checkpoint();
    end
    whole = due(r.step, r.steps_per_epoch) && r.step < r.total_steps;
    if whole && due(r.step / r.steps_per_epoch, own.ValidationEpochs)
      record = append(record, t.validate());
    end
    if whole && ~isempty(folder) && due(r.step / r.steps_per_epoch, save_epochs)
      t.update_model();
      mdldm.save(m, folder);
    end
    if own.Verbose && (due(r.step, max(1, ceil(r.total_steps / 20))) || r.step == 1)
      fprintf('step %d of %d  loss %.4g\n', r.step, r.total_steps, r.loss);
    end
  end
  record = append(record, t.validate());
  t.update_model();
  if ~isempty(folder)
    mdldm.save(m, folder);
  end
end

function yes = due(n, every)
  yes = every > 0 && mod(n, every) == 0;
end

% The metrics r as a new column, or in the last one when it is of the same step.
function record = append(record, r)
  k = numel(record.step);
  if k == 0 || record.step(k) ~= r.step
    k = k + 1;
    for name = fieldnames(record)'
      record.(name{1})(k) = NaN;
    end
  end
  for name = fieldnames(r)'
    if any(strcmp(name{1}, {'total_steps', 'steps_per_epoch'}))
      continue
    end
    if ~isfield(record, name{1})
      record.(name{1}) = NaN(1, k);
    end
    record.(name{1})(k) = r.(name{1});
  end
end

% Each option to the calls whose scopes have it; one that nobody knows to the trainer, which refuses it.
function [for_data, for_model, for_trainer] = deal_out(pairs, stage, opened, modelled)
  if ~any(strcmp(stage, {'autoencoder', 'diffusion'}))
    error('mdldm:invalid_argument', 'the stage should be ''autoencoder'' or ''diffusion''');
  end
  table = mdldm.options();
  plain = strrep({table.key}, '_', '');
  takes = [true; false; false];
  for_data = cell(2, 0);
  for_model = cell(2, 0);
  for_trainer = {};
  mine = {'dataset'; 'model'; 'train'; 'vq'};
  if strcmp(stage, 'diffusion')
    mine{4} = 'diffusion';
  end
  for i = 1:size(pairs, 2)
    k = find(strcmp(plain, lower(strrep(pairs{1, i}, '_', ''))));
    takes(:) = false;
    if ~isempty(k)
      scopes = strsplit(table(k).scopes, ', ');
      takes = [any(strcmp(scopes, mine{1})); any(strcmp(scopes, mine{2})); any(ismember(scopes, mine(3:4)))];
    end
    if any(takes) && ~any(takes & [~opened; ~modelled; true]) && ~(takes(1) && takes(2))
      whose = {'data set', 'model'};
      error('mdldm:invalid_argument', 'option %s is the %s''s, which is there already: it comes too late', pairs{1, i}, ...
            whose{find(takes, 1)});
    end
    if takes(1)
      for_data(:, end + 1) = pairs(:, i); %#ok<AGROW>
    end
    if takes(2)
      for_model(:, end + 1) = pairs(:, i); %#ok<AGROW>
    end
    if takes(3) || ~any(takes)
      for_trainer(end + (1:2)) = pairs(:, i); %#ok<AGROW>
    end
  end
end

% Pictures are read as the autoencoder was trained on, unless the caller says otherwise.
function pairs = like_autoencoder(pairs, m, for_model, calls)
  folder = value_of(for_model(:)', 'vae_path');
  if isempty(m) && isempty(folder)
    return % new_model says what is missing
  end
  if isempty(m)
    m = mdldm.load(folder, calls{:});
  end
  given = lower(strrep(pairs(1, :), '_', ''));
  mode = find(strcmp(given, 'imagemode'), 1, 'last');
  info = mdldm.info(m);
  if info.image_channels ~= 1 || (~isempty(mode) && ~strcmp(pairs{2, mode}, 'L'))
    return
  end
  if isempty(mode)
    pairs(:, end + 1) = {'image_mode'; 'L'};
  end
  if ~any(strcmp(given, 'colormap'))
    pairs(:, end + 1) = {'colormap'; info.colormap};
  end
  if isfield(info, 'db_floor') && isfield(info, 'db_ceiling') && ~any(ismember(given, {'dbfloor', 'dbceiling'}))
    pairs(:, end + (1:2)) = {'db_floor', 'db_ceiling'; info.db_floor, info.db_ceiling};
  end
end

function m = new_model(stage, data, pairs, calls)
  given = lower(strrep(pairs(1, :), '_', ''));
  if data.Channels == 1 && ~any(strcmp(given, 'imagemode'))
    pairs(:, end + 1) = {'image_mode'; 'L'};
  end
  if ~any(strcmp(given, 'resolution'))
    pairs(:, end + 1) = {'resolution'; data.Resolution};
  end
  if strcmp(stage, 'autoencoder')
    pairs(:, end + 1) = {'components'; 'autoencoder'};
  else
    if ~any(strcmp(given, 'vaepath'))
      error('mdldm:invalid_argument', ['VaePath is missing: the folder of the autoencoder from stage 1; or give ' ...
                                       '''Model'', a model that has one']);
    end
    k = find(strcmp(given, 'unconditional'), 1);
    if ~isempty(data.ClassNames) && (isempty(k) || ~pairs{2, k})
      pairs(:, end + (1:2)) = {'num_classes', 'class_names'; numel(data.ClassNames), data.ClassNames};
    end
  end
  m = mdldm.create(pairs{:}, calls{:});
end

% Of an option: what was given, else its default.
function value = value_of(pairs, key)
  table = mdldm.options();
  o = table(strcmp({table.key}, key));
  names = lower(strrep(pairs(1:2:end), '_', ''));
  k = find(strcmp(names, strrep(key, '_', '')), 1, 'last');
  if isempty(k)
    value = o.default;
  else
    value = pairs{2 * k};
  end
  if ~strcmp(o.type, 'string') && ischar(value)
    value = str2double(value);
  end
end
