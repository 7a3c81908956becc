classdef Sampler < handle
% mdldm.Sampler  A scheduler with its steps for one model. mdldm.sampler makes it.
% SPDX-License-Identifier: MIT
  properties (SetAccess = private)
    Handle = [];     % of the gateway
    Model = [];      % the mdldm.Model
    Timesteps = [];  % Timesteps(k): of step k
    Channels = 0;    % of the latents
    Factor = 1;      % pixels per latent cell and side
  end
  methods
    function s = Sampler(model, pairs)
      [s.Handle, s.Timesteps] = mdldm.internal.call([], 'sampler', mdldm.internal.handle_of(model, 'Model'), pairs);
      s.Model = model;
      info = mdldm.info(model);
      s.Channels = info.latent_channels;
      s.Factor = max(1, info.latent_factor);
    end
    function delete(s)
      try % in an interpreter that is going down nothing may be left to call
        mdldm.internal.release(s.Handle);
      catch
      end
    end
    function disp(s)
      fprintf('  mdldm.Sampler: %d steps\n', numel(s.Timesteps));
    end
  end
end
