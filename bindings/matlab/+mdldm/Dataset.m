classdef Dataset < handle
% mdldm.Dataset  Pictures or dB matrices to train on. mdldm.dataset makes it.
% SPDX-License-Identifier: MIT
  properties (SetAccess = private)
    Handle = [];       % of the gateway
    Count = 0;         % items
    Skipped = 0;       % unreadable files that were left out
    ClassNames = {};   % ClassNames{k} has the label k - 1
    Labels = [];       % Labels(i): of item i; -1: none
    Names = {};        % Names{i}: path of item i; of an array's, "class/place in the array from 0"
    Channels = 3;      % 1: grey pictures or dB matrices
    DbRange = [];      % [floor ceiling] in dB that pixels -1 and 1 mean; [] where that is unknown
    Resolution = 256;  % side of the items as training sees them
  end
  methods
    function d = Dataset(pairs, hooks, varargin)
      [d.Handle, info] = mdldm.internal.call(hooks, varargin{:}, pairs);
      d.Count = info.count;
      d.Skipped = info.skipped;
      d.ClassNames = info.class_names;
      d.Labels = info.labels;
      d.Names = info.names;
      d.Channels = info.channels;
      d.DbRange = info.db_range;
      k = find(strcmpi(strrep(pairs(1, :), '_', ''), 'resolution'), 1, 'last');
      if ~isempty(k)
        d.Resolution = pairs{2, k};
      end
      if ischar(d.Resolution)
        d.Resolution = str2double(d.Resolution);
      end
    end
    function delete(d)
      try % in an interpreter that is going down nothing may be left to call
        mdldm.internal.release(d.Handle);
      catch
      end
    end
    function disp(d)
      fprintf('  mdldm.Dataset: %d items, %d classes\n', d.Count, numel(d.ClassNames));
    end
  end
end
