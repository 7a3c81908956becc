function id = process_id()
% PROCESS_ID  Of this interpreter.
% SPDX-License-Identifier: MIT
  if exist('OCTAVE_VERSION', 'builtin') ~= 0
    id = getpid();
  else
    id = feature('getpid');
  end
end
