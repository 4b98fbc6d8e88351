#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "commands.h"
#include "encoding/json.h"

namespace cloister {

/// Verifies the server, sends one request with the token, and hands a good answer to `print`; with
/// --json the answer is printed as it came instead.
Outcome ask(const Options& options, Tools& tools, ClientRequest request, const std::string& body,
            const std::function<void(const JsonValue&)>& print);

/// A text member of an object, made printable; empty where there is none.
std::string text_member(const JsonValue& object, std::string_view name);
/// A number, or a text that is one.
std::string number_member(const JsonValue& object, std::string_view name);

}  // namespace cloister
