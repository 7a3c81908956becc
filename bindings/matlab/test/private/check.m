function check(condition, varargin)
% CHECK  Fails the running test unless condition holds.
% SPDX-License-Identifier: MIT
  if ~all(condition(:))
    error('test:failed', varargin{:});
  end
end
