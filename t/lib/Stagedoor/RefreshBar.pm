# SPDX-License-Identifier: Apache-2.0
# Several processes with one store, users whose tokens live for seconds at a
# real issuer, and so many requests at once: who is signed out, and which old
# refresh token is shown to the issuer?
#
#	my $bar = Stagedoor::RefreshBar->new(issuer => 'Dex',
#	    store => 'sqlite', life => 4, users => 24);
#	$bar->run(delay => 2.5, rotations => 100, seconds => 60, kills => 2);
#	$bar->report	# what came of it
#
# Requests go to the processes as a web server's do. Some hang up while they
# wait. A process is killed at any moment of a refresh: a user whose token it
# had shown without having kept the answer may be asked to sign in, and then
# does.
package Stagedoor::RefreshBar;

use strict;
use warnings;

use IO::Select;
use Stagedoor::Dex;
use Stagedoor::FastCGI;
use Stagedoor::Fake::RefreshGate;
use Stagedoor::HTTP;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::OidcProvider;
use Stagedoor::Redis;
use Stagedoor::Test ();
use Stagedoor::Util qw(free_port tempdir wait_for write_file);
use Stagedoor::Visitor;
use Time::HiRes qw(sleep time);

use constant {
	PROCESSES => 8, AT_ONCE => 50,
	PATIENCE => 30,		# seconds for an answer
	HANG_UP => 0.1,		# of the requests
	WAITED => 0.5,		# seconds: only a refresh takes so long
	LOOK_EACH => 0.3,	# seconds between looks at the issuer's account
	KILL_EACH => 2.5,
	FORGET => 3,		# seconds between resets of what fakes record
};

my $QUERY = '/api/kubernetes/resources/workloads/query';
my $count = 0;

sub new {
	my ($class, %opt) = @_;
	my $self = bless { %opt, dir => tempdir() . '/bar-' . ++$count,
	    excused => {}, excuses => {}, wrong => [], map { $_ => 0 }
	    qw(kills hung_up waited prompted worst wrongs late good) },
	    $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	$self->{names} = [map { "u$_" } 1 .. $opt{users}];
	$self->{fake} = Stagedoor::Test::fake(backstage => 1,
	    clusters => [{ name => 'one', jwt => 1 }]);
	$self->{home} = 'http://127.0.0.1:' . free_port();
	$self->{real} = $self->_issuer;
	$self->{settings} = $self->_settings;
	$self->{pools} = [map { $self->_start_pool } 1 .. PROCESSES];
	$self->_tell_pids;
	$self->_sign_in($_) for @{$self->{names}};
	return $self;
}

sub _issuer {
	my ($self) = @_;
	my $class = "Stagedoor::$self->{issuer}";
	my %of = (
		Dex => { id_tokens => "$self->{life}s",
		    users => $self->{names} },
		OidcProvider => { ttl => { IdToken => 0 + $self->{life} },
		    users => { map { $_ => { email => "$_\@example.test",
			email_verified => \1 } } @{$self->{names}} } },
	);
	return $class->start(gate => 'Stagedoor::Fake::RefreshGate',
	    redirect_uris => ["$self->{home}/api/kubernetes/connect/callback"],
	    %{$of{$self->{issuer}}});
}

sub _store {
	my ($self) = @_;
	my $key = Stagedoor::Test::stagedoor('key')->{out};
	my $key_file = write_file("$self->{dir}/store.keys", $key);
	chmod 0600, $key_file;
	return { type => 'sqlite', path => "$self->{dir}/store.db",
	    keyFile => $key_file } if $self->{store} eq 'sqlite';
	$self->{redis} = Stagedoor::Redis->start(durable => 1);
	return { $self->{redis}->store, keyFile => $key_file };
}

sub _settings {
	my ($self) = @_;
	return Stagedoor::Test::settings(fake => $self->{fake},
	    source => 'params', clusters => [{ name => 'one',
		authProvider => 'oidc', oidcTokenProvider => 'corp',
		signIn => 'stagedoor', skipMetricsLookup => \1 }],
	    kubernetes => { objectTypes => ['pods'] },
	    stagedoor => { publicUrl => $self->{home}, store => $self->_store,
		limits => { connect => 2, cluster => 20 },
		login => [$self->{real}->login('corp')] });
}

sub _start_pool {
	my ($self) = @_;
	return Stagedoor::Test::pool(settings => $self->{settings},
	    threads => 16, name => 'bar');
}

sub _tell_pids {
	my ($self) = @_;
	$self->{real}->_tell(pids => map { $_->pid } @{$self->{pools}});
}

sub stop {
	my ($self) = @_;
	my @codes = map { $_->stop } @{$self->{pools}};
	$self->{real}->stop;
	$self->{redis}->stop if $self->{redis};
	$self->{fake}->stop;
	return \@codes;
}

# --- Sign-ins ---------------------------------------------------------------

sub _sign_in {
	my ($self, $user) = @_;
	my $web = Stagedoor::RefreshBar::Web->new($self->_any_pool, $user);
	my $visitor = Stagedoor::Visitor->new(web => $web,
	    issuer => $self->{real});
	my $answer = $visitor->sign_in('oidc/corp', as => $user);
	my $to = ($answer // {})->{headers}{location} // 'nowhere';
	die "$user does not sign in: $to\n" if $to !~ /done=connected/;
	$self->{since}{$user} = time;
}

sub _any_pool { return $_[0]{pools}[rand @{$_[0]{pools}}] }

# --- Requests ---------------------------------------------------------------

sub _begin {
	my ($self) = @_;
	my $pool = $self->_any_pool;
	my $user = $self->{names}[rand @{$self->{names}}];
	my $socket = Stagedoor::HTTP::connect_to($pool) or return;
	my %opt = (as => $user, body => encode_json({
	    entityRef => 'component:default/shop', auth => {} }),
	    headers => { 'Content-Type' => 'application/json',
		'Sec-Fetch-Site' => 'same-origin' });
	my $bytes = Stagedoor::FastCGI::begin()
	    . Stagedoor::FastCGI::stream(Stagedoor::FastCGI::FCGI_PARAMS,
		Stagedoor::FastCGI::pairs(Stagedoor::FastCGI::params_for(
		    POST => $QUERY, %opt)))
	    . Stagedoor::FastCGI::stream(Stagedoor::FastCGI::FCGI_STDIN,
		$opt{body});
	syswrite $socket, $bytes;
	$socket->blocking(0);
	my $ask = { socket => $socket, user => $user, pool => $pool,
	    began => time, reader => Stagedoor::FastCGI::Reader->new };
	$ask->{hang_up} = time + rand 1.5 if rand() < HANG_UP;
	$self->{asks}{fileno $socket} = $ask;
	$self->{select}->add($socket);
}

sub _end {
	my ($self, $ask) = @_;
	delete $self->{asks}{fileno $ask->{socket}};
	$self->{select}->remove($ask->{socket});
	close $ask->{socket};
}

sub _read {
	my ($self, $socket) = @_;
	my $ask = $self->{asks}{fileno $socket} or return;
	my $n = sysread $socket, my $bytes, 65536;
	return if !defined $n && $!{EAGAIN};
	$ask->{reader}->feed($bytes) if $n;
	return if $n && !$ask->{reader}->done;
	$self->_end($ask);
	$self->_judge($ask) if !$ask->{pool}{killed};
}

sub _judge {
	my ($self, $ask) = @_;
	my $answer = $ask->{reader}->answer;
	my $row = (Stagedoor::HTTP::json($answer) // {})->{items}[0];
	my $user = $ask->{user};
	my $took = time - $ask->{began};
	return $self->_wrong($ask, 'no row: ' . ($answer->{status} // 'cut'))
	    if !$row;
	my @errors = @{$row->{errors}};
	$self->{worst} = $took if !@errors && $took > $self->{worst};
	return $self->{good}++ if !@errors;
	# Asked before the last sign-in was done.
	return if $ask->{began} < ($self->{since}{$user} // 0) + 1.5;
	my $said = join ' | ', map { $_->{message} // $_->{statusCode} // '?' }
	    @errors;
	return $self->_prompt($ask, $said)
	    if grep { ($_->{statusCode} // 0) == 401 } @errors;
	# A machine that is busy with other things: try again, it says.
	return $self->{late}++ if $said =~ /not there yet|store is too slow/;
	$self->_wrong($ask, $said);
}

sub _prompt {
	my ($self, $ask, $said) = @_;
	return $self->_wrong($ask, "signed out: $said")
	    if !$self->{excused}{$ask->{user}};
	return $self->_wrong($ask, "is not told where: $said")
	    if $said !~ m{sign in at \Q$self->{home}\E/api/kubernetes/connect};
	return if $self->{prompt}{$ask->{user}}++;
	$self->{prompted}++;
}

sub _wrong {
	my ($self, $ask, $what) = @_;
	push @{$self->{wrong}}, sprintf '%s after %.1f s: %s', $ask->{user},
	    time - $ask->{began}, $what if @{$self->{wrong}} < 20;
	$self->{wrongs}++;
}

sub _turn {
	my ($self) = @_;
	my $now = time;
	for my $ask (values %{$self->{asks}}) {
		if ($ask->{hang_up} && $ask->{hang_up} < $now) {
			$self->{hung_up}++;
			$self->{waited}++ if $now - $ask->{began} > WAITED;
			$self->_end($ask);
		} elsif ($now - $ask->{began} > PATIENCE) {
			$self->_end($ask);
			$self->_wrong($ask, 'no answer');
		}
	}
	$self->_read($_) for $self->{select}->can_read(0.02);
}

# --- Killing ----------------------------------------------------------------

# One that has shown somebody's token and has no answer yet, or any.
sub _victim {
	my ($self) = @_;
	for my $pool (@{$self->{pools}}) {
		return $pool if @{$self->{real}->_tell(busy => $pool->pid, 0)};
	}
	return undef;
}

# Frozen first, so that who is excused is known and not guessed.
sub _kill {
	my ($self) = @_;
	my $pool = $self->_victim or return 0;
	$pool->process->signal('STOP');
	sleep 0.05;
	my $real = $self->{real};
	wait_for(sub { !$real->_tell(working => $pool->pid) }, 10,
	    'the issuer');
	my $busy = $real->_tell(busy => $pool->pid, 1.5);
	my $users = $real->_tell('users');
	for my $user (@$busy) {
		$self->{excused}{$user} = $users->{$user}{rotations} + 1;
		$self->{excuses}{$user}++;
	}
	$pool->{killed} = 1;
	$pool->process->signal('KILL');
	$pool->process->wait_end(10);
	$pool->stop;
	$self->_end($_) for grep { $_->{pool} == $pool }
	    values %{$self->{asks}};
	@{$self->{pools}} = grep { $_ != $pool } @{$self->{pools}};
	push @{$self->{pools}}, $self->_start_pool;
	$self->_tell_pids;
	$self->{kills}++;
	return 1;
}

# Whose token was renewed since then, or who was asked to sign in: what came of
# it is known.
sub _settled {
	my ($self) = @_;
	my $users = $self->{real}->_tell('users');
	for my $user (keys %{$self->{excused}}) {
		delete $self->{excused}{$user} if !$self->{prompt}{$user}
		    && $users->{$user}{rotations} >= $self->{excused}{$user};
	}
	return !grep { !$self->{prompt}{$_} } keys %{$self->{excused}};
}

# --- All together -----------------------------------------------------------

# Until there were so many rotations and it is known what came of each kill, or
# so many seconds have passed; then who was signed out by a kill signs in again.
sub run {
	my ($self, %opt) = @_;
	$self->{real}->behave(token => $opt{delay} ? "slow:$opt{delay}" : 'ok');
	@$self{qw(select asks)} = (IO::Select->new, {});
	my ($began, $before) = (time, $self->_tally->{rotations});
	my ($kills, $killed) = ($opt{kills} // 0, $began);
	$self->_repeat($began + $opt{seconds}, sub {
		if ($kills && time - $killed > KILL_EACH) {
			$kills -= $self->_kill;
			$killed = time;
		}
		return !$kills && $self->_tally->{rotations} - $before
		    >= $opt{rotations} && $self->_settled;
	});
	$self->_drain;
	return { seconds => time - $began,
	    rotations => $self->_tally->{rotations} - $before };
}

# Ask, until done says so, which is called a few times a second.
sub _repeat {
	my ($self, $until, $done) = @_;
	my ($looked, $forgot) = (time, time);
	while (time < $until) {
		$self->_begin while keys %{$self->{asks}} < AT_ONCE;
		$self->_turn;
		next if time - $looked < LOOK_EACH;
		$looked = time;
		return if $done->();
		next if time - $forgot < FORGET;
		$self->{fake}->reset;
		$self->{real}->reset;
		$forgot = time;
	}
}

sub _tally { return $_[0]{real}->_tell('tally') }

sub _drain {
	my ($self) = @_;
	my $until = time + PATIENCE;
	$self->{real}->behave(token => 'ok');
	$self->_turn while keys %{$self->{asks}} && time < $until;
	for my $user (sort keys %{$self->{prompt} // {}}) {
		$self->_sign_in($user);
		delete $self->{excused}{$user};
		delete $self->{prompt}{$user};
	}
}

# Reuses that no kill excuses, as lines.
sub _reuses {
	my ($self) = @_;
	my %left = %{$self->{excuses}};
	return [grep { /^(\w+):/ && $left{$1}-- <= 0 }
	    @{$self->{real}->_tell('reuses')}];
}

# { rotations, asked, reuses and refused at the issuer; good, late, hung_up,
# worst (seconds) of requests; waited: of those who hung up, who had to wait for
# the issuer; kills, prompted; wrong and unexcused: lines }.
sub report {
	my ($self) = @_;
	return { %{$self->_tally}, map({ $_ => $self->{$_} } qw(good late
	    kills hung_up waited prompted worst wrongs wrong)),
	    unexcused => $self->_reuses };
}

# A pool that is asked as somebody.
package Stagedoor::RefreshBar::Web;

use strict;
use warnings;

sub new {
	my ($class, $pool, $user) = @_;
	return bless { pool => $pool, user => $user }, $class;
}

sub request {
	my ($self, $method, $target, %opt) = @_;
	return $self->{pool}->request($method, $target, %opt,
	    as => $self->{user});
}

1;
