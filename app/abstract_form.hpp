// Erlang expressions in the abstract format, as erl_eval:exprs/2 takes them: what erl_parse makes of source
// text. https://www.erlang.org/doc/apps/erts/absform.html; the same from OTP 23 on. Every line is 1.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cnode/term.hpp"

namespace rollcall::app::form {

using expression = cnode::term;
using expressions = std::vector<cnode::term>;

expression variable(std::string_view name);
expression atom(std::string_view text);
expression integer(std::int64_t value);
expression tuple(expressions);
expression list(expressions);
expression cons(expression head, expression tail);
expression match(expression pattern, expression value);  // Pattern = Value
expression call(std::string_view module, std::string_view function, expressions arguments);
expression apply(expression function, expressions arguments);  // a fun, held by a variable
expression clause(expressions patterns, expressions body);     // without guards
expression case_of(expression subject, expressions clauses);
expression receive(expressions clauses);
expression fun(expressions clauses);
expression named_fun(std::string_view name, expressions clauses);

}  // namespace rollcall::app::form
