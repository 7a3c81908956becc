function varargout = call(hooks, command, varargin)
% CALL  One call of the gateway. hooks: of mdldm.internal.parse, or [].
% SPDX-License-Identifier: MIT
  progress = [];
  log = [];
  if ~isempty(hooks)
    progress = hooks.progress;
    log = hooks.log;
  end
  if exist('mdldm_mex', 'file') ~= 3
    error('mdldm:not_built', 'the gateway mdldm_mex is not built yet, or not on the path: run mdldm.build()');
  end
  try
    [varargout{1:nargout}] = mdldm_mex(command, varargin{:}, progress, log);
  catch err
    error(err.identifier, '%s', regexprep(err.message, '^mdldm_mex: ', '')); % Octave puts the name in front
  end
end
