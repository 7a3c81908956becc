function [own, pairs, hooks] = parse(list, own)
% PARSE  Name-value pairs of a function: values for the fields of own replace them there, Progress and Log
% become hooks, all else is for the library's option table (2-by-k cell, names above values).
% SPDX-License-Identifier: MIT
  own.Progress = [];
  own.Log = [];
  names = fieldnames(own);
  plain = lower(names);
  pairs = cell(2, 0);
  if mod(numel(list), 2) ~= 0
    error('mdldm:invalid_argument', 'names and values come in pairs: the last name has no value');
  end
  for i = 1:2:numel(list)
    name = mdldm.internal.text(list{i});
    if ~ischar(name)
      error('mdldm:invalid_argument', 'argument %d of the name-value pairs is of class %s: a name would be right', ...
            i, class(name));
    end
    value = mdldm.internal.text(list{i + 1});
    k = find(strcmp(plain, lower(strrep(name, '_', ''))));
    if isempty(k)
      pairs(:, end + 1) = {name; value}; %#ok<AGROW>
    else
      own.(names{k}) = value;
    end
  end
  hooks = struct('progress', wrap(own.Progress, 'Progress'), 'log', wrap(own.Log, 'Log'));
end

function h = wrap(fn, name)
  h = [];
  if isempty(fn)
    return
  end
  if ~isa(fn, 'function_handle')
    error('mdldm:invalid_argument', '%s is of class %s: a function handle would be right', name, class(fn));
  end
  h = @(varargin) mdldm.internal.callback(fn, varargin{:});
end
