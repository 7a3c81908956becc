classdef test_box < handle
% test_box  Collects what callbacks were given.
% SPDX-License-Identifier: MIT
  properties
    items = {};
  end
  methods
    function add(box, item)
      box.items{end + 1} = item;
    end
    function drop(box)
      box.items = {};
    end
  end
end
