classdef Trainer < handle
% mdldm.Trainer  Trains step by step; mdldm.train runs one to its end.
%   t = mdldm.Trainer('autoencoder', model, data, 'MaxTrainSteps', 1000, ...)
%   t = mdldm.Trainer('diffusion', model, data, ...)
%   r = t.step()      one optimiser step; r: metrics and where training stands
%   r = t.validate()  measures on the held-out images
%   t.checkpoint()    writes OutputDir/checkpoint-<step>
%   t.update_model()  copies the trained weights (EMA when it is on) into the model
%   r = t.status()
% SPDX-License-Identifier: MIT
  properties (SetAccess = private)
    Handle = [];  % of the gateway
    Model = [];
    Data = [];
    Hooks = [];
  end
  methods
    function t = Trainer(stage, model, data, varargin)
      [own, pairs, hooks] = mdldm.internal.parse(varargin, struct()); %#ok<ASGLU>
      number = find(strcmp(mdldm.internal.text(stage), {'autoencoder', 'diffusion'}));
      if isempty(number)
        error('mdldm:invalid_argument', 'the stage should be ''autoencoder'' or ''diffusion''');
      end
      t.Handle = mdldm.internal.call(hooks, 'trainer', number, mdldm.internal.handle_of(model, 'Model'), ...
                                     mdldm.internal.handle_of(data, 'Dataset'), pairs);
      t.Model = model;
      t.Data = data;
      t.Hooks = hooks;
    end
    function delete(t)
      try % in an interpreter that is going down nothing may be left to call
        mdldm.internal.release(t.Handle);
      catch
      end
    end
    function r = step(t)
      r = mdldm.internal.call(t.Hooks, 'trainer_do', t.Handle, 'step');
    end
    function r = validate(t)
      r = mdldm.internal.call(t.Hooks, 'trainer_do', t.Handle, 'validate');
    end
    function r = checkpoint(t)
      r = mdldm.internal.call(t.Hooks, 'trainer_do', t.Handle, 'checkpoint');
    end
    function r = update_model(t)
      r = mdldm.internal.call(t.Hooks, 'trainer_do', t.Handle, 'update_model');
    end
    function r = status(t)
      r = mdldm.internal.call([], 'trainer_do', t.Handle, 'status');
    end
    function disp(t)
      r = t.status();
      fprintf('  mdldm.Trainer: step %d of %d\n', r.step, r.total_steps);
    end
  end
end
