function ctrl_c()
% CTRL_C  Sends this process what a terminal sends at Ctrl-C, and returns when its handler has run.
%
% Not simply system('kill ...'): while that waits, SIGINT is ignored; and Octave takes signals on a thread of
% its own. So a shell in the background sends it once system() is over, and then it is waited for.
% SPDX-License-Identifier: MIT
  go = tempname();
  sent = tempname();
  [status, text] = system(sprintf(['(while [ ! -e %s ]; do sleep 0.02; done; kill -INT %d; touch %s) ' ...
                                   '</dev/null >/dev/null 2>&1 &'], go, process_id(), sent));
  check(status == 0, '%s', text);
  fclose(fopen(go, 'w'));
  started = tic();
  while (~exist(sent, 'file') || pending()) && toc(started) < 60
    pause(0.02);
  end
  pause(0.05);
  delete(go);
  delete(sent);
end

function yes = pending()
  text = fileread(sprintf('/proc/%d/status', process_id()));
  masks = regexp(text, '(?:SigPnd|ShdPnd):\s*(\w+)', 'tokens');
  yes = any(cellfun(@(m) bitand(hex2dec(m{1}(end - 7:end)), 2) ~= 0, masks)); % SIGINT is 2: the second bit
end
