//! The inventory as a tree of paths, for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use apiward_detector::observation::Location;
use indicatif::HumanCount;

use crate::discovery::inventory::{
    AuthenticationUse, EndpointInventory, EndpointState, Inventory, Parameter, TypeShare,
};

/// Parameters of one place that are shown.
const PARAMETERS_SHOWN: usize = 4;
/// Types of one parameter that are shown.
const TYPES_SHOWN: usize = 3;
/// Below this confidence a template is marked.
const UNSURE_BELOW: f64 = 0.75;

const HOST: Style = Style::new().bold();
const BRANCH: Style = Style::new().dimmed();
const PARAMETER: Style = AnsiColor::Cyan.on_default();
const METHOD: Style = Style::new().bold();
const TAKES: Style = Style::new().dimmed();

/// What the tree cannot tell itself.
pub struct Overview {
    /// Exchanges read.
    pub exchanges: u64,
    /// Only one host was asked for, so that the others' exchanges are no remainder.
    pub is_one_host: bool,
}

/// Something to know of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    text: String,
    style: Style,
}

#[derive(Default)]
struct Node<'i> {
    children: BTreeMap<&'i str, Node<'i>>,
    endpoints: Vec<&'i EndpointInventory>,
}

/// One line: a path component, an endpoint, or both.
#[derive(Default)]
struct Row {
    /// Lines of the tree before the component.
    branch: String,
    component: String,
    /// The component's types, if it is a parameter.
    types: String,
    method: String,
    exchanges: String,
    marks: Vec<Mark>,
    takes: String,
}

/// Writes one tree per host and a summary, coloured.
pub fn write_tree(output: &mut impl Write, inventory: &Inventory, overview: &Overview) -> io::Result<()> {
    for host in inventory.hosts() {
        let endpoints = inventory.endpoints.iter().filter(|endpoint| endpoint.host == host);
        let mut root = Node::default();
        endpoints.for_each(|endpoint| root.add(endpoint));
        let mut rows = Vec::new();
        root.rows("", &mut rows);
        writeln!(output, "{HOST}{host}{HOST:#}")?;
        write_rows(output, &rows)?;
        writeln!(output)?;
    }
    write!(output, "{}", summary(inventory, overview))
}

impl<'i> Node<'i> {
    fn add(&mut self, endpoint: &'i EndpointInventory) {
        let components = endpoint.template.split('/').filter(|component| !component.is_empty());
        let node = components.fold(self, |node, component| node.children.entry(component).or_default());
        node.endpoints.push(endpoint);
    }

    /// The rows below this node, whose lines begin with `indent`.
    fn rows(&self, indent: &str, rows: &mut Vec<Row>) {
        if indent.is_empty() {
            // What is at the root itself stands on a line of its own.
            let mut of_root = Row { component: "/".to_owned(), ..Row::default() };
            for endpoint in &self.endpoints {
                rows.push(Row { ..of_endpoint(of_root, endpoint) });
                of_root = Row::default();
            }
        }
        let count = self.children.len();
        for (place, (component, child)) in self.children.iter().enumerate() {
            let is_last = place + 1 == count;
            let mut shown = (*component).to_owned();
            let mut node = child;
            // Components on the way to something are put together.
            while node.endpoints.is_empty()
                && let (1, Some((next, only))) = (node.children.len(), node.children.iter().next())
                && !next.contains('{')
                && !shown.contains('{')
            {
                shown = format!("{shown}/{next}");
                node = only;
            }
            let below = format!("{indent}{}", if is_last { "   " } else { "│  " });
            let mut row = Row {
                branch: format!("{indent}{}", if is_last { "└─ " } else { "├─ " }),
                types: node.types_of(component),
                component: shown,
                ..Row::default()
            };
            let trunk = format!("{below}{}", if node.children.is_empty() { "" } else { "│" });
            if node.endpoints.is_empty() {
                rows.push(row);
            } else {
                for endpoint in &node.endpoints {
                    rows.push(of_endpoint(row, endpoint));
                    row = Row { branch: trunk.trim_end().to_owned(), ..Row::default() };
                }
            }
            node.rows(&below, rows);
        }
    }

    /// The types of a parameter component, as any endpoint below it knows them.
    fn types_of(&self, component: &str) -> String {
        let Some(name) = component.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return String::new();
        };
        let parameter = self.any_endpoint().into_iter().flat_map(|endpoint| &endpoint.parameters).find(|parameter| {
            parameter.location == Location::Path && parameter.name == name && parameter.component.is_none()
        });
        parameter.map_or_else(String::new, |parameter| type_names(&parameter.values.types))
    }

    fn any_endpoint(&self) -> Option<&'i EndpointInventory> {
        self.endpoints.first().copied().or_else(|| self.children.values().find_map(Node::any_endpoint))
    }
}

fn of_endpoint(row: Row, endpoint: &EndpointInventory) -> Row {
    let method = match &endpoint.operation {
        Some(operation) => format!("{} {operation}", endpoint.method),
        None => endpoint.method.clone(),
    };
    Row {
        method,
        exchanges: HumanCount(endpoint.exchanges).to_string(),
        marks: marks(endpoint),
        takes: takes(endpoint),
        ..row
    }
}

fn marks(endpoint: &EndpointInventory) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut add = |text: String, colour: AnsiColor| marks.push(Mark { text, style: colour.on_default() });
    match endpoint.state {
        EndpointState::Active => {}
        EndpointState::New => add("new".to_owned(), AnsiColor::Green),
        EndpointState::Stale => add("stale".to_owned(), AnsiColor::Blue),
    }
    if endpoint.authentication.usage == AuthenticationUse::Never {
        add("unauthenticated".to_owned(), AnsiColor::Yellow);
    }
    let mut classes: Vec<&str> = endpoint.sensitive.iter().flat_map(|data| &data.classes).map(String::as_str).collect();
    classes.sort_unstable();
    classes.dedup();
    if !classes.is_empty() {
        add(format!("sensitive: {}", classes.join(", ")), AnsiColor::Red);
    }
    if endpoint.confidence < UNSURE_BELOW {
        add("unsure".to_owned(), AnsiColor::Magenta);
    }
    marks
}

/// `query(page integer, q text) body(note text)`
fn takes(endpoint: &EndpointInventory) -> String {
    let groups = [(Location::Query, "query"), (Location::Form, "form"), (Location::Body, "body")];
    let shown = groups.iter().filter_map(|(location, noun)| {
        let of_place: Vec<&Parameter> =
            endpoint.parameters.iter().filter(|parameter| parameter.location == *location).collect();
        let names: Vec<String> = of_place.iter().take(PARAMETERS_SHOWN).map(|parameter| with_type(parameter)).collect();
        let more = of_place.len().saturating_sub(PARAMETERS_SHOWN);
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("{noun}({}{rest})", names.join(", ")))
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn with_type(parameter: &Parameter) -> String {
    let name = if parameter.name.is_empty() { "value" } else { &parameter.name };
    format!("{name} {}", type_names(&parameter.values.types))
}

fn type_names(types: &[TypeShare]) -> String {
    let names: Vec<&str> = types.iter().take(TYPES_SHOWN).map(|one| one.name.as_str()).collect();
    let rest = if types.len() > TYPES_SHOWN { "|…" } else { "" };
    format!("{}{rest}", names.join("|"))
}

impl Row {
    /// Of the tree's column, in characters.
    fn width(&self) -> usize {
        let types = if self.types.is_empty() { 0 } else { self.types.chars().count() + 1 };
        self.branch.chars().count() + self.component.chars().count() + types
    }

    fn marks_text(&self) -> String {
        self.marks.iter().map(|mark| mark.text.as_str()).collect::<Vec<_>>().join("  ")
    }
}

fn write_rows(output: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let widest = |width: fn(&Row) -> usize| rows.iter().map(width).max().unwrap_or(0);
    let tree_width = widest(Row::width);
    let method_width = widest(|row| row.method.chars().count());
    let exchanges_width = widest(|row| row.exchanges.chars().count());
    let marks_width = widest(|row| row.marks_text().chars().count());
    for row in rows {
        let component = if row.component.contains('{') { PARAMETER } else { Style::new() };
        write!(output, "{BRANCH}{}{BRANCH:#}{component}{}{component:#}", row.branch, row.component)?;
        if !row.types.is_empty() {
            write!(output, " {TAKES}{}{TAKES:#}", row.types)?;
        }
        if row.method.is_empty() {
            writeln!(output)?;
            continue;
        }
        let space = |count: usize| " ".repeat(count + 2);
        write!(output, "{}", space(tree_width - row.width()))?;
        write!(output, "{METHOD}{}{METHOD:#}", row.method)?;
        write!(output, "{}", space(method_width - row.method.chars().count()))?;
        write!(output, "{:>exchanges_width$}", row.exchanges)?;
        let marks_text = row.marks_text();
        if !(row.marks.is_empty() && row.takes.is_empty()) {
            write!(output, "  ")?;
        }
        for (place, Mark { text, style }) in row.marks.iter().enumerate() {
            write!(output, "{}{style}{text}{style:#}", if place > 0 { "  " } else { "" })?;
        }
        if !row.takes.is_empty() {
            let gap = if marks_width == 0 { String::new() } else { space(marks_width - marks_text.chars().count()) };
            write!(output, "{gap}{TAKES}{}{TAKES:#}", row.takes)?;
        }
        writeln!(output)?;
    }
    Ok(())
}

/// `13 endpoints at 1 host in 6,000 exchanges, 2026-11-01 to 2026-11-07; 2 new, 4 sensitive`
fn summary(inventory: &Inventory, overview: &Overview) -> String {
    let endpoints = &inventory.endpoints;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let hosts = inventory.hosts().len();
    let within: u64 = endpoints.iter().map(|endpoint| endpoint.exchanges).sum();
    let exchanges = if overview.is_one_host { within } else { overview.exchanges };
    let first = endpoints.iter().filter_map(|endpoint| endpoint.first_seen).min();
    let last = endpoints.iter().filter_map(|endpoint| endpoint.last_seen).max();
    let times = first.zip(last).map_or_else(String::new, |(first, last)| {
        if first.date() == last.date() {
            format!(", {}", first.date())
        } else {
            format!(", {} to {}", first.date(), last.date())
        }
    });
    let count = |is: fn(&EndpointInventory) -> bool| endpoints.iter().filter(|endpoint| is(endpoint)).count();
    let counts = [
        (count(|endpoint| endpoint.state == EndpointState::New), "new"),
        (count(|endpoint| endpoint.state == EndpointState::Stale), "stale"),
        (count(|endpoint| endpoint.authentication.usage == AuthenticationUse::Never), "unauthenticated"),
        (count(|endpoint| !endpoint.sensitive.is_empty()), "sensitive"),
        (count(|endpoint| endpoint.confidence < UNSURE_BELOW), "unsure"),
    ];
    let mut parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let outside = exchanges.saturating_sub(within);
    if outside > 0 {
        parts.push(format!("{} exchanges belong to none", HumanCount(outside)));
    }
    let details = if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) };
    format!(
        "{} endpoint{} at {hosts} host{} in {} exchanges{times}{details}",
        endpoints.len(),
        plural(endpoints.len()),
        plural(hosts),
        HumanCount(exchanges),
    )
}
