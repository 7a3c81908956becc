function build(varargin)
% mdldm.build  Compiles the gateway mdldm_mex: mdldm.build()
% Finds the library in the source tree this file lies in, else through pkg-config (package mdldm).
%   'IncludeDir'  folder that holds mdldm/mdldm.h, 'LibDir' folder of libmdldm.so: another library
%   'OutputDir'   where the gateway goes (beside the package folder); it has to be on the path
%   'Flags'       cell array of further compiler flags
%   'Verbose'     true: show the compiler's commands and output
% Takes mkoctfile in Octave, mex in MATLAB.
% SPDX-License-Identifier: MIT
  here = fileparts(fileparts(mfilename('fullpath')));
  own = struct('IncludeDir', '', 'LibDir', '', 'OutputDir', here, 'Flags', {{}}, 'Verbose', false);
  [own, pairs] = mdldm.internal.parse(varargin, own);
  mdldm.internal.none(pairs, 'mdldm.build');
  [include, lib] = find_library(own, fileparts(fileparts(here)));
  files = dir(fullfile(here, 'src', '*.c'));
  sources = cellfun(@(name) fullfile(here, 'src', name), {files.name}, 'UniformOutput', false);
  if exist('mdldm_mex', 'file') == 3
    clear mdldm_mex % an old one in memory would stay
  end
  if exist('OCTAVE_VERSION', 'builtin') ~= 0
    build_octave(sources, include, lib, own);
  else
    build_matlab(sources, include, lib, own);
  end
  rehash();
end

function [include, lib] = find_library(own, root)
  include = own.IncludeDir;
  lib = own.LibDir;
  if isempty(include) && isempty(lib)
    include = fullfile(root, 'include');
    lib = fullfile(root, 'lib');
    if ~exist(fullfile(lib, 'libmdldm.so'), 'file') || ~exist(fullfile(include, 'mdldm', 'mdldm.h'), 'file')
      include = pkg_config('includedir');
      lib = pkg_config('libdir');
    end
  end
  if ~exist(fullfile(lib, 'libmdldm.so'), 'file') || ~exist(fullfile(include, 'mdldm', 'mdldm.h'), 'file')
    error('mdldm:not_found', ['libmdldm.so and mdldm/mdldm.h are neither in the source tree %s (make builds ' ...
          'them) nor known to pkg-config (make install): make one of the two so, or give IncludeDir and LibDir'], ...
          root);
  end
end

function value = pkg_config(name)
  [status, text] = system(['pkg-config --variable=' name ' mdldm 2>/dev/null']);
  value = '';
  if status == 0
    value = strtrim(text);
  end
end

function build_octave(sources, include, lib, own)
  where = {['-I', include], ['-L', lib], '-lmdldm', ['-Wl,-rpath,', lib], '-ldl', '-lpthread'};
  args = [{'--mex'}, own.Flags, where, {'-o', fullfile(own.OutputDir, 'mdldm_mex.mex')}, sources];
  if own.Verbose
    [output, status] = mkoctfile('-v', args{:});
    disp(output);
  else
    [output, status] = mkoctfile(args{:});
  end
  if status ~= 0
    error('mdldm:build', 'the compiler failed (mdldm.build(''Verbose'', true) shows its commands):\n%s', output);
  end
end

function build_matlab(sources, include, lib, own)
  where = {['-I', include], ['-L', lib], '-lmdldm', '-ldl', '-lpthread', ['LDFLAGS=$LDFLAGS -Wl,-rpath,', lib]};
  result = {'-outdir', own.OutputDir, '-output', 'mdldm_mex'};
  args = [{'-R2018a', 'CFLAGS=$CFLAGS -std=gnu11'}, own.Flags, where, result, sources];
  if own.Verbose
    mex('-v', args{:});
  else
    mex('-silent', args{:});
  end
end
