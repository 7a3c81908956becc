function note = check_close(got, wanted, tolerance)
% CHECK_CLOSE  Largest difference over the largest magnitude; the note says what was observed.
% SPDX-License-Identifier: MIT
  if ~isequal(size(got), size(wanted))
    error('test:failed', 'size [%s]; [%s] expected', num2str(size(got)), num2str(size(wanted)));
  end
  worst = max(abs(double(got(:)) - double(wanted(:)))) / max(abs(double(wanted(:))));
  if ~(worst <= tolerance)
    error('test:failed', 'error %.3g beyond %.3g', worst, tolerance);
  end
  note = sprintf(' (error %.2g, limit %.2g)', worst, tolerance);
end
