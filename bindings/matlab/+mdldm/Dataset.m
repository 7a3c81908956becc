classdef Dataset < handle
% mdldm.Dataset  A folder (sub-folders are classes) or a .zip of PNG and JPEG files. mdldm.dataset makes it.
% SPDX-License-Identifier: MIT
  properties (SetAccess = private)
    Handle = [];      % of the gateway
    Count = 0;        % images
    Skipped = 0;      % unreadable ones that were left out
    ClassNames = {};  % ClassNames{k} has the label k - 1
    Labels = [];      % Labels(i): of image i; -1: none
    Names = {};       % Names{i}: path of image i
  end
  methods
    function d = Dataset(path, pairs, hooks)
      [d.Handle, info] = mdldm.internal.call(hooks, 'dataset', path, pairs);
      d.Count = info.count;
      d.Skipped = info.skipped;
      d.ClassNames = info.class_names;
      d.Labels = info.labels;
      d.Names = info.names;
    end
    function delete(d)
      try % in an interpreter that is going down nothing may be left to call
        mdldm.internal.release(d.Handle);
      catch
      end
    end
    function disp(d)
      fprintf('  mdldm.Dataset: %d images, %d classes\n', d.Count, numel(d.ClassNames));
    end
  end
end
