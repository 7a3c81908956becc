function failed = run_tests(varargin)
% RUN_TESTS  Tests of the package mdldm: run_tests(), in MATLAB or Octave, in a source tree where make was run.
% Prints a line "ok" or "not ok" for each test and a closing line; failed: how many were not.
%   run_tests('OutputDir', dir)  builds the gateway there, not beside the package (and takes it from there)
%   run_tests('Build', false)    takes the gateway that is there
% SPDX-License-Identifier: MIT
  given = struct('OutputDir', '', 'Build', true);
  for i = 1:2:numel(varargin)
    given.(varargin{i}) = varargin{i + 1};
  end
  here = fileparts(mfilename('fullpath'));
  package = fileparts(here);
  if exist('OCTAVE_VERSION', 'builtin') ~= 0
    warning('off', 'Octave:shadowed-function'); % +mdldm/load.m and save.m
  end
  addpath(here, package);
  where = {};
  if ~isempty(given.OutputDir)
    addpath(given.OutputDir);
    where = {'OutputDir', given.OutputDir};
  end
  if given.Build
    mdldm.build(where{:});
  end
  mdldm.configure('Threads', 1); % more only wait for each other on pictures as small as these
  work = tempname();
  mkdir(work);
  tidy = onCleanup(@() remove(work));
  env = struct('root', fileparts(fileparts(package)), 'work', work);
  env.golden = fullfile(env.root, 'tests', 'golden', 'data');
  tests = [golden_tests(); argument_tests(); image_tests(); signal_tests(); handle_tests(); train_tests()];
  passed = 0;
  failed = 0;
  for i = 1:size(tests, 1)
    started = tic();
    try
      note = tests{i, 2}(env);
      passed = passed + 1;
      fprintf('ok %d - %s%s [%.1f s]\n', i, tests{i, 1}, note, toc(started));
    catch err
      failed = failed + 1;
      fprintf('not ok %d - %s\n#   %s\n', i, tests{i, 1}, strrep(err.message, sprintf('\n'), sprintf('\n#   ')));
    end
  end
  fprintf('%d passed, %d failed\n', passed, failed);
end

function remove(folder)
  if exist('OCTAVE_VERSION', 'builtin') ~= 0
    confirm_recursive_rmdir(false);
  end
  rmdir(folder, 's');
end
