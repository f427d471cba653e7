//! What a value may be an attack of.

use serde::{Deserialize, Serialize};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadClass {
    /// No attack.
    Benign,
    /// SQL that breaks out of a query.
    Sqli,
    /// Operators and code for document databases.
    Nosqli,
    /// Script for a browser.
    Xss,
    /// Shell commands.
    CommandInjection,
    /// Paths out of the folder that is meant, to sensitive files, and inclusion of files through wrappers and addresses.
    PathTraversal,
    /// Expressions of template engines.
    TemplateInjection,
    /// Code and serialised objects for PHP, Java, Node, Python, Ruby and .NET, with OGNL and JNDI.
    CodeInjection,
    /// XML with external entities.
    Xxe,
    /// Addresses that only the server reaches.
    Ssrf,
    /// Filters for directories.
    LdapInjection,
    /// Line breaks with header fields.
    HeaderInjection,
    /// What vulnerability scanners ask for and call themselves.
    ScannerProbe,
}

impl PayloadClass {
    /// All classes, in the order of the network's outputs.
    pub const ALL: [Self; 13] = [
        Self::Benign,
        Self::Sqli,
        Self::Nosqli,
        Self::Xss,
        Self::CommandInjection,
        Self::PathTraversal,
        Self::TemplateInjection,
        Self::CodeInjection,
        Self::Xxe,
        Self::Ssrf,
        Self::LdapInjection,
        Self::HeaderInjection,
        Self::ScannerProbe,
    ];

    /// The class as it is written in reports and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Sqli => "sqli",
            Self::Nosqli => "nosqli",
            Self::Xss => "xss",
            Self::CommandInjection => "command_injection",
            Self::PathTraversal => "path_traversal",
            Self::TemplateInjection => "template_injection",
            Self::CodeInjection => "code_injection",
            Self::Xxe => "xxe",
            Self::Ssrf => "ssrf",
            Self::LdapInjection => "ldap_injection",
            Self::HeaderInjection => "header_injection",
            Self::ScannerProbe => "scanner_probe",
        }
    }

    /// The words a person reads: `looks like SQL injection`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Benign => "no attack",
            Self::Sqli => "SQL injection",
            Self::Nosqli => "NoSQL injection",
            Self::Xss => "cross-site scripting",
            Self::CommandInjection => "command injection",
            Self::PathTraversal => "path traversal or file inclusion",
            Self::TemplateInjection => "template injection",
            Self::CodeInjection => "code injection",
            Self::Xxe => "an external XML entity",
            Self::Ssrf => "server-side request forgery",
            Self::LdapInjection => "LDAP injection",
            Self::HeaderInjection => "header injection",
            Self::ScannerProbe => "a scanner's probe",
        }
    }

    /// The class of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The position among [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_serialised_form_and_positions_are_those_of_the_list() {
        for (index, class) in PayloadClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
            assert_eq!(PayloadClass::of_name(class.name()), Some(class));
        }
    }
}
