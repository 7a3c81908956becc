function check_error(id, pattern, fn)
% CHECK_ERROR  fn must fail with that identifier and a message that matches pattern.
% SPDX-License-Identifier: MIT
  try
    fn();
  catch err
    if ~strcmp(err.identifier, id) || isempty(regexp(err.message, pattern, 'once'))
      error('test:failed', 'error %s: "%s"; %s with /%s/ expected', err.identifier, err.message, id, pattern);
    end
    return
  end
  error('test:failed', 'no error; %s expected', id);
end
