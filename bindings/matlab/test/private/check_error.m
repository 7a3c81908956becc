function check_error(id, pattern, fn)
% CHECK_ERROR  fn must fail with an identifier and a message that match the patterns.
% SPDX-License-Identifier: MIT
  try
    fn();
  catch err
    if isempty(regexp(err.identifier, ['^' id '$'], 'once')) || isempty(regexp(err.message, pattern, 'once'))
      error('test:failed', 'error %s: "%s"; %s with /%s/ expected', err.identifier, err.message, id, pattern);
    end
    return
  end
  error('test:failed', 'no error; %s expected', id);
end
