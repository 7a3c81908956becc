classdef Model < handle
% mdldm.Model  A model: autoencoder, UNet and scheduler, or some of them. mdldm.load and mdldm.create make it;
% it is freed when nothing refers to it any more, by mdldm.free(m), or by "clear mex".
% SPDX-License-Identifier: MIT
  properties (SetAccess = private)
    Handle = [];      % of the gateway
    ClassNames = {};  % ClassNames{k} has the label k - 1
    Resolution = 0;   % side of its images, pixels
  end
  methods
    function m = Model(handle)
      m.Handle = handle;
      info = mdldm.internal.call([], 'info', handle);
      m.ClassNames = info.class_names;
      m.Resolution = info.resolution;
    end
    function delete(m)
      try % in an interpreter that is going down nothing may be left to call
        mdldm.internal.release(m.Handle);
      catch
      end
    end
    function disp(m)
      try
        i = mdldm.info(m);
        fprintf('  mdldm.Model: %s %s, %d parameters, %d classes, %dx%d\n', i.autoencoder_class, i.unet_class, ...
                i.parameters, i.num_classes, i.resolution, i.resolution);
      catch err
        fprintf('  mdldm.Model: %s\n', err.message);
      end
    end
  end
end
