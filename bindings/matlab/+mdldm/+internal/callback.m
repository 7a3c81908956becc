function [id, text] = callback(fn, varargin)
% CALLBACK  Runs fn(...); an error comes back as identifier and message.
% SPDX-License-Identifier: MIT
  id = '';
  text = '';
  try
    fn(varargin{:});
  catch err
    id = err.identifier;
    text = err.message;
    if isempty(id)
      id = 'mdldm:callback';
    end
    if isempty(text)
      text = 'error in a callback';
    end
  end
end
