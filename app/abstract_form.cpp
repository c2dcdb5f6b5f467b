#include "app/abstract_form.hpp"

#include <cstdint>
#include <ranges>
#include <string>
#include <utility>

namespace rollcall::app::form {
namespace {

constexpr std::int64_t line = 1;

template <class... Parts>
expression node(std::string_view kind, Parts... parts) {
  cnode::tuple made;
  made.items = {cnode::atom{std::string(kind)}, line, std::move(parts)...};
  return made;
}

expression plain_atom(std::string_view text) {
  return cnode::atom{std::string(text)};
}

expression plain_list(expressions items) {
  return cnode::list{std::move(items), nullptr};
}

}  // namespace

expression variable(std::string_view name) {
  return node("var", plain_atom(name));
}

expression atom(std::string_view text) {
  return node("atom", plain_atom(text));
}

expression integer(std::int64_t value) {
  return node("integer", expression{value});
}

expression tuple(expressions items) {
  return node("tuple", plain_list(std::move(items)));
}

expression list(expressions items) {
  auto made = node("nil");
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    made = cons(std::move(*item), std::move(made));
  }
  return made;
}

expression cons(expression head, expression tail) {
  return node("cons", std::move(head), std::move(tail));
}

expression match(expression pattern, expression value) {
  return node("match", std::move(pattern), std::move(value));
}

expression call(std::string_view module, std::string_view function, expressions arguments) {
  return apply(node("remote", atom(module), atom(function)), std::move(arguments));
}

expression apply(expression function, expressions arguments) {
  return node("call", std::move(function), plain_list(std::move(arguments)));
}

expression clause(expressions patterns, expressions body) {
  return node("clause", plain_list(std::move(patterns)), plain_list({}), plain_list(std::move(body)));
}

expression case_of(expression subject, expressions clauses) {
  return node("case", std::move(subject), plain_list(std::move(clauses)));
}

expression receive(expressions clauses) {
  return node("receive", plain_list(std::move(clauses)));
}

expression fun(expressions clauses) {
  cnode::tuple body;
  body.items = {plain_atom("clauses"), plain_list(std::move(clauses))};
  return node("fun", std::move(body));
}

expression named_fun(std::string_view name, expressions clauses) {
  return node("named_fun", plain_atom(name), plain_list(std::move(clauses)));
}

}  // namespace rollcall::app::form
