"""The registry's mail, put together. Without a server for mail only the choices are kept."""

from services.chassis.app import App
from services.chassis.events import Bus
from services.registry.identity_parts import Identity
from services.registry.settings import RegistrySettings
from services.registry.usecases import mail_news
from services.registry.usecases.mail_news import MailNews
from services.registry.usecases.mail_sending import MailSender, Smtp
from services.registry.usecases.mail_settings import MailChoices


def open_mail(app: App, bus: Bus, identity: Identity, settings: RegistrySettings) -> MailChoices:
    """Follow the events and write to members, and return what answers the calls."""
    store, clock = identity.mail, identity.clock
    if settings.smtp_host:
        smtp = Smtp(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_user,
            settings.smtp_password.get_secret_value(),
            settings.smtp_security,
            settings.mail_from,
        )
        follower = MailNews(store, identity.accounts, clock)
        sender = MailSender(
            store,
            identity.accounts,
            smtp,
            clock,
            address=settings.public_url,
            digest_seconds=settings.mail_digest_seconds,
        )
        app.spawn("mail news", bus.consume(mail_news.DURABLE, mail_news.SUBJECTS, follower.follow))
        app.spawn("mail sender", sender.run())
    return MailChoices(store, clock)
